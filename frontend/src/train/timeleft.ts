/** Return a duration as people say it. */
export function durationText(seconds: number): string {
  if (seconds < 10) return 'a few seconds'
  if (seconds < 55) return `${Math.round(seconds / 5) * 5} seconds`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return minutes === 1 ? '1 minute' : `${minutes} minutes`
  const hours = Math.floor(minutes / 60)
  return `${hours} h ${minutes % 60} min`
}
