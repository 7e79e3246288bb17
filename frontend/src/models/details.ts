import { counted } from '@/common/text'
import { shownTime } from '@/common/time'
import type { ModelDetails } from '@/protocol/messages'

export const NETWORK_LABELS: Readonly<Record<string, string>> = {
  qnetwork: 'plain network',
  dueling: 'dueling network',
  options: 'network of options',
  egocentric: 'egocentric network',
  spatial: 'spatial network',
  spatial_dueling: 'spatial dueling network',
  relational: 'relational network',
}

/** A model with what `/api/models` tells of it; only the name is certain. */
export type Model = Pick<ModelDetails, 'name'> & Partial<ModelDetails>

const LAST = 'trained_agent.pt'
const SPECIAL: Readonly<Record<string, string>> = { [LAST]: 'trained agent', 'shipped_agent.pt': 'shipped agent' }

export type Stage = NonNullable<ModelDetails['stage']> | 'unknown'

/** What a model can do, from the least; the server judges it by the model's evaluation. */
export const STAGES: readonly Stage[] = ['unknown', 'beginner', 'improving', 'skilled', 'expert']

export const STAGE_LABELS: Readonly<Record<Stage, string>> = {
  unknown: 'Not evaluated',
  beginner: 'Beginner',
  improving: 'Improving',
  skilled: 'Skilled',
  expert: 'Expert',
}

/** What a stage says of a model. */
export const STAGE_MEANINGS: Readonly<Record<Stage, string>> = {
  unknown: 'Nobody has measured how long it survives.',
  beginner: 'It survives less than a quarter of a full life.',
  improving: 'It survives a good while, but not a full life.',
  skilled: 'It survives a full life from the usual start.',
  expert: 'It survives a full life from the usual start, and most of one from anywhere.',
}

/** Return the training episodes behind a checkpoint, from what the server tells, else from the file's name. */
function episodeOf(model: Model): number | null {
  if (typeof model.episode === 'number') return model.episode
  const named = /(?:ep|episode)_?(\d+)/i.exec(model.name)
  return named ? Number(named[1]) : null
}

export function stageOf(model: Model): Stage {
  return model.stage ?? 'unknown'
}

/** Return how a model did in its greedy evaluation, where that is known. */
export function evaluationOf(model: Model): { steps: number; total: number } | null {
  const { mean_length: steps, mean_return: total } = model.evaluation ?? {}
  return typeof steps === 'number' && typeof total === 'number' ? { steps, total } : null
}

/** Return the models from clumsy to able, the order in which a class meets them: by stage, survival and return. */
export function byStage(models: readonly Model[]): Model[] {
  const steps = (model: Model): number => evaluationOf(model)?.steps ?? 0
  const total = (model: Model): number => evaluationOf(model)?.total ?? 0
  return [...models].sort(
    (a, b) =>
      Number(stageOf(a) === 'unknown') - Number(stageOf(b) === 'unknown') ||
      STAGES.indexOf(stageOf(a)) - STAGES.indexOf(stageOf(b)) ||
      steps(a) - steps(b) ||
      total(a) - total(b) ||
      (episodeOf(a) ?? 0) - (episodeOf(b) ?? 0) ||
      a.name.localeCompare(b.name),
  )
}

/** Return when a run began, from the name of its model's file; null for other names. */
function runTime(name: string): Date | null {
  const [, year, month, day, hour, minute, second] =
    /^run-(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-[0-9a-f]+-ep\d+\.pt$/.exec(name)?.map(Number) ?? []
  if (year === undefined || month === undefined) return null
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second))
}

/** Return a model's name as people read it: the one that a person gave, else one made of its file's name. */
export function nameOf(model: Model): string {
  if (model.given_name) return model.given_name
  return model.name === LAST && model.source === 'run' ? 'last trained agent' : shortName(model.name)
}

/** Return the name of a model's file as people read it. */
export function shortName(name: string): string {
  const began = runTime(name)
  if (began !== null) return `run of ${shownTime(began)}`
  return SPECIAL[name] ?? name.replace(/\.pt$/, '').replaceAll(/[_.]/g, ' ')
}

/** Return a short name for several models side by side: of a checkpoint its episode and its variant. */
export function briefName(name: string): string {
  const [, episode, variant] = /^checkpoint_ep(\d+)(?:_(.+))?\.pt$/.exec(name) ?? []
  if (episode === undefined) return shortName(name)
  return variant === undefined ? `episode ${episode}` : `episode ${episode}, ${variant.replaceAll('_', ' ')}`
}

/** Return whether a model is a plain checkpoint of its stage, not a variant. */
export function isPlain(model: Model): boolean {
  return /^checkpoint_ep\d+\.pt$/.test(model.name)
}

/** Return one line for the chooser: stage, episodes, kind of network. */
export function describe(model: Model): string {
  const episode = episodeOf(model)
  const parts = [
    STAGE_LABELS[stageOf(model)].toLowerCase(),
    episode === null ? null : counted(episode, 'episode'),
    model.network_type ? (NETWORK_LABELS[model.network_type] ?? model.network_type) : null,
  ]
  return parts.filter((part) => part !== null).join(', ')
}
