import { t } from '@/language/text'

/** Return a duration as people say it. */
export function durationText(seconds: number): string {
  if (seconds < 10) return t('train.time.moment')
  if (seconds < 55) return t('train.time.seconds', { count: Math.round(seconds / 5) * 5 })
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return t('train.time.minutes', { count: minutes })
  const hours = Math.floor(minutes / 60)
  return t('train.time.hours', { hours, minutes: minutes % 60 })
}
