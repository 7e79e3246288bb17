import { locale } from '@/language/text'

/** Return a time as the reader writes it, without the date if it is today: a phone has no room for both. */
export function shownTime(at: Date): string {
  const isToday = at.toDateString() === new Date().toDateString()
  return at.toLocaleString(locale(), isToday ? { timeStyle: 'medium' } : { dateStyle: 'short', timeStyle: 'short' })
}
