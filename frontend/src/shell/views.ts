import type { IconName } from '@/common/icons'
import type { ViewName } from '@/shell/route'

export const VIEW_LABELS: Readonly<Record<ViewName, { label: string; icon: IconName }>> = {
  watch: { label: 'Watch', icon: 'watch' },
  compare: { label: 'Compare', icon: 'compare' },
  play: { label: 'Play', icon: 'hand' },
  train: { label: 'Train', icon: 'train' },
  replays: { label: 'Replays', icon: 'replays' },
  editor: { label: 'World editor', icon: 'place' },
  failures: { label: 'Failures', icon: 'failures' },
}
