/**
 * The page's own icons, which films share: one stroked path each, drawn on a 24 x 24 field with round joins.
 * `h.01` draws a dot.
 */
import ICONS from '../../../hamlet_trio/film/icons.json'

export { ICONS }

export type IconName = keyof typeof ICONS
