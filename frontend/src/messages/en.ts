/** The page's English texts, a file for each domain. */
import shell from '@/messages/en/shell.json'

export default { shell }
