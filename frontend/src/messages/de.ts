/** The page's German texts. */
import type { Catalogue } from '@/language/message'
import shell from '@/messages/de/shell.json'

export default { shell } satisfies Catalogue
