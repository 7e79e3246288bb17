import type { ListedRecording, RecordingInfo } from '@/protocol/messages'
import { failureLabel } from '@/world/labels'
import { t } from '@/language/text'

export const GROUPINGS = ['none', 'run', 'ending'] as const
export type Grouping = (typeof GROUPINGS)[number]

export interface Group { key: string; title: string; run: string | null; entries: ListedRecording[] }

export function endingOf(info: Pick<RecordingInfo, 'ended' | 'failure_reason'>): string {
  if (info.ended === null) return t('replays.cutShort')
  return info.failure_reason === null ? t('replays.survived') : failureLabel(info.failure_reason)
}

/** Put recordings into groups, in the order of their newest; files that cannot be read come last. */
export function grouped(entries: readonly ListedRecording[], by: Grouping, names: { run(id: string): string; model(file: string): string }): Group[] {
  if (by === 'none') return [{ key: '', title: '', run: null, entries: [...entries] }]
  const groups = new Map<string, Group>()
  for (const entry of entries) {
    const { key, title, run } = placeOf(entry.info, by, names)
    const group = groups.get(key) ?? { key, title, run, entries: [] }
    group.entries.push(entry)
    groups.set(key, group)
  }
  const found = [...groups.values()]
  return [...found.filter(({ key }) => key !== ''), ...found.filter(({ key }) => key === '')]
}

function placeOf(info: RecordingInfo | null, by: 'run' | 'ending', names: { run(id: string): string; model(file: string): string }): Omit<Group, 'entries'> {
  if (info === null) return { key: '', title: t('replays.damaged'), run: null }
  if (by === 'ending') return { key: `ending ${info.ended ?? ''} ${info.failure_reason ?? ''}`, title: endingOf(info), run: null }
  if (info.run_id !== null) return { key: `run ${info.run_id}`, title: names.run(info.run_id), run: info.run_id }
  return {
    key: `model ${info.model ?? ''}`, run: null,
    title: t('replays.watched', { model: info.model === null ? t('models.untrainedAgent') : names.model(info.model) }),
  }
}
