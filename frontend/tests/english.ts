import { speak } from '@/language/text'
import english from '@/messages/en'

// The page loads its texts before it shows anything.
speak('en', english)
