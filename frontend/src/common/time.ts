const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'short' })
const today = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })

/** Return a time as people read it, without the date if it is today: a phone has no room for both. */
export function shownTime(at: Date): string {
  return (at.toDateString() === new Date().toDateString() ? today : full).format(at)
}
