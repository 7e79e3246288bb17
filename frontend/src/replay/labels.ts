import type { RecordingInfo } from '@/protocol/messages'

/** Why an episode was recorded. */
export const REASON_LABELS: Readonly<Record<RecordingInfo['reasons'][number], string>> = {
  asked_for: 'asked for',
  best_so_far: 'best so far',
  worst_so_far: 'worst so far',
  first_death: 'first failure of its kind',
  every_nth: 'regular sample',
}
