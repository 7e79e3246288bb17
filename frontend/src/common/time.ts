const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'short' })
const today = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })

/** An instant as people read it; what is of today needs no date, which a phone has no room for. */
export function shownTime(at: Date): string {
  return (at.toDateString() === new Date().toDateString() ? today : full).format(at)
}
