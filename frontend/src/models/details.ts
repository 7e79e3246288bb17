import { shownTime } from '@/common/time'
import type { ModelDetails } from '@/protocol/messages'
import { spoken, t } from '@/language/text'
import type { English, TextPath } from '@/language/message'

const NETWORKS = ['qnetwork', 'dueling', 'options', 'egocentric', 'spatial', 'spatial_dueling', 'relational'] as const

/** Return the name of a kind of network, as people say it. */
export function networkLabel(type: string): string {
  const known = NETWORKS.find((name) => name === type)
  return known ? t(`models.network.${known}`) : type
}

/** A model with what `/api/models` tells of it; only the name is certain. */
export type Model = Pick<ModelDetails, 'name'> & Partial<ModelDetails>

const LAST = 'trained_agent.pt'
const SPECIAL: Readonly<Record<string, TextPath>> = { [LAST]: 'models.trainedAgent', 'shipped_agent.pt': 'models.shippedAgent' }

export type Stage = NonNullable<ModelDetails['stage']> | 'unknown'

/** What a model can do, from the least; the server judges it by the model's evaluation. */
export const STAGES: readonly Stage[] = ['unknown', 'beginner', 'improving', 'skilled', 'expert']

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

/** Return when a run was begun, from its id; null for other ids. */
export function timeOfRun(runId: string): Date | null {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-[0-9a-f]+$/.exec(runId)?.map(Number) ?? []
  if (year === undefined || month === undefined) return null
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second))
}

/** Return a model's name as people read it: the one that a person gave, else one made of its file's name. */
export function nameOf(model: Model): string {
  if (model.given_name) return model.given_name
  return model.name === LAST && model.source === 'run' ? t('models.lastTrained') : shortName(model.name)
}

/** Return the name of a model's file as people read it. */
export function shortName(name: string): string {
  const began = timeOfRun(/^run-(.+)-ep\d+\.pt$/.exec(name)?.[1] ?? '')
  if (began !== null) return t('models.run', { time: shownTime(began) })
  const special = SPECIAL[name]
  if (special) return t(special)
  const checkpoint = checkpointOf(name)
  if (checkpoint === null) return name.replace(/\.pt$/, '').replaceAll(/[_.]/g, ' ')
  return named(t('models.after', { count: checkpoint.episode }), checkpoint.variant)
}

/** Return a short name for several models side by side: of a checkpoint its episode and its variant. */
export function briefName(name: string): string {
  const checkpoint = checkpointOf(name)
  return checkpoint === null ? shortName(name) : named(t('models.brief', { episode: checkpoint.episode }), checkpoint.variant)
}

function checkpointOf(name: string): { episode: number; variant: string | null } | null {
  const [, episode, variant] = /^checkpoint_ep(\d+)(?:_(.+))?\.pt$/.exec(name) ?? []
  return episode === undefined ? null : { episode: Number(episode), variant: variant?.replaceAll('_', ' ') ?? null }
}

function named(name: string, variant: string | null): string {
  return variant === null ? name : t('models.variant', { name, variant: variant === 'shortsighted' ? t('models.shortsighted') : variant })
}

const CARDS = {
  [LAST]: 'trained', 'shipped_agent.pt': 'trained', 'checkpoint_ep50.pt': 'ep50', 'checkpoint_ep455.pt': 'ep455', 'checkpoint_ep1000.pt': 'ep1000',
  'checkpoint_ep400_shortsighted.pt': 'shortsighted',
} as const satisfies Record<string, keyof English['models']['card']>

/** What a model's maker says of it; null for what was not said. */
interface Card { title: string | null; story: string | null; watchFor: string | null }

/** Return what a model's maker says of it: of the models that come with Hamlet in the reader's language, else as it was written. */
export function cardOf(model: Model): Card {
  const key = Object.hasOwn(CARDS, model.name) ? CARDS[model.name as keyof typeof CARDS] : null
  // English readers have the maker's own words, and so has a model of that name that a run made.
  if (key !== null && spoken() !== 'en' && model.source === 'shipped' && model.story) {
    return { title: t(`models.card.${key}.title`), story: t(`models.card.${key}.story`), watchFor: t(`models.card.${key}.watchFor`) }
  }
  return { title: model.title ?? null, story: model.story ?? null, watchFor: model.watch_for ?? null }
}

/** Return whether a model is a plain checkpoint of its stage, not a variant. */
export function isPlain(model: Model): boolean {
  return /^checkpoint_ep\d+\.pt$/.test(model.name)
}

/** Return one line for the chooser: stage, episodes unless the name has them, kind of network. */
export function describe(model: Model): string {
  const episode = episodeOf(model)
  const parts = [
    t(`models.inWords.${stageOf(model)}`),
    episode === null || (!model.given_name && checkpointOf(model.name) !== null) ? null : t('common.episodes', { count: episode }),
    model.network_type ? networkLabel(model.network_type) : null,
  ]
  return parts.filter((part) => part !== null).join(', ')
}
