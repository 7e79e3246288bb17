import { shownTime } from '@/common/time'
import { timeOfRun } from '@/models/details'
import type { RunSummary } from '@/protocol/messages'
import { t } from '@/language/text'

const STATES = ['running', 'complete', 'stopped', 'interrupted', 'failed'] as const
export type RunState = (typeof STATES)[number]
export const RUN_STATES: readonly RunState[] = STATES

const SOURCES = ['server', 'command_line', 'sweep', 'older'] as const

export function stateLabel(run: Pick<RunSummary, 'state'>): string {
  const known = STATES.find((state) => state === run.state)
  return known ? t(`runs.state.${known}`) : run.state
}

export function sourceLabel(run: Pick<RunSummary, 'source'>): string {
  const known = SOURCES.find((source) => source === run.source)
  return known ? t(`runs.source.${known}`) : run.source
}

/** Return a run's name as people read it: the name of its model where somebody gave one, else when it was begun, as its models are called. */
export function runName(run: Pick<RunSummary, 'began' | 'run_id'>, given: string | null | undefined): string {
  return given || t('runs.of', { time: shownTime(timeOfRun(run.run_id) ?? new Date(run.began)) })
}
