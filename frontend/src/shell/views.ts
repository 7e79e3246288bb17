import type { IconName } from '@/common/icons'
import type { ViewName } from '@/shell/route'

/** The views' icons; their names are the texts `shell.view`. */
export const VIEW_ICONS: Readonly<Record<ViewName, IconName>> = {
  watch: 'watch',
  compare: 'compare',
  play: 'hand',
  train: 'train',
  runs: 'runs',
  replays: 'replays',
  editor: 'place',
  lab: 'trophy',
  failures: 'failures',
}
