/** What the server says, in the reader's language. Its sentences are English, its codes are stable. */
import { spoken, t } from '@/language/text'
import errors from '@/messages/en/errors.json'

/** Return what is wrong: the server's own sentence in English, which is the most exact, else the one for its code. */
export function told(message: string, code: string | null | undefined): string {
  if (spoken() === 'en' || !code || !Object.hasOwn(errors, code)) return message
  return t(`errors.${code as keyof typeof errors}`, { message })
}
