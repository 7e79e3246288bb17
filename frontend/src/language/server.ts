/** What the server says, in the reader's language. Its sentences are English, its codes are stable. */
import type { English } from '@/language/message'
import { spoken, t, texts } from '@/language/text'

/** Return what is wrong: the server's own sentence in English, which is the most exact, else the one for its code. */
export function told(message: string, code: string | null | undefined): string {
  if (spoken() === 'en' || !code || !Object.hasOwn(texts().errors, code)) return message
  return t(`errors.${code as keyof English['errors']}`, { message })
}
