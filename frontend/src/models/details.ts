import { NETWORK_LABELS } from '@/common/labels'

/** What `/api/models` tells of a model; only the name is certain. */
export interface ModelDetails {
  name: string
  network_type?: string | null
  episode?: number | null
  size_bytes?: number
  evaluation?: { mean_length?: number; mean_return?: number } | null
  title?: string | null
  story?: string | null
  watch_for?: string | null
  command?: string | null
  error?: string | null
}

export type Stage = 'early' | 'middle' | 'late' | 'trained' | 'unknown'

export const STAGE_LABELS: Readonly<Record<Stage, string>> = {
  early: 'Early',
  middle: 'Middle',
  late: 'Late',
  trained: 'Trained',
  unknown: 'Stage unknown',
}

/** Training episodes behind a checkpoint: from what the server tells, else from the file's name. */
export function episodeOf(model: ModelDetails): number | null {
  if (typeof model.episode === 'number') return model.episode
  const named = /(?:ep|episode)_?(\d+)/i.exec(model.name)
  return named ? Number(named[1]) : null
}

/** A run of a few episodes saves under the same name as the best: what is known of a model goes before its name. */
export function stageOf(model: ModelDetails): Stage {
  const best = model.name === 'trained_agent.pt'
  const episode = episodeOf(model)
  if (episode === null) return best ? 'trained' : 'unknown'
  if (episode <= 100) return 'early'
  if (episode < 800) return 'middle'
  return best ? 'trained' : 'late'
}

/** From clumsy to able: the order in which a class meets the models. */
export function byStage(models: readonly ModelDetails[]): ModelDetails[] {
  const rank: Record<Stage, number> = { early: 0, middle: 1, late: 2, trained: 3, unknown: 4 }
  return [...models].sort(
    (a, b) =>
      rank[stageOf(a)] - rank[stageOf(b)] ||
      (episodeOf(a) ?? 0) - (episodeOf(b) ?? 0) ||
      a.name.localeCompare(b.name),
  )
}

/** The model's name without what every name has. */
export function shortName(name: string): string {
  return name.replace(/\.pt$/, '').replaceAll(/[_.]/g, ' ')
}

/** As short as it gets, for where several stand side by side: a checkpoint is its episode and what is odd. */
export function briefName(name: string): string {
  const [, episode, oddity] = /^checkpoint_ep(\d+)(?:_(.+))?\.pt$/.exec(name) ?? []
  if (episode === undefined) return shortName(name)
  return oddity === undefined ? `episode ${episode}` : `episode ${episode}, ${oddity.replaceAll('_', ' ')}`
}

/** Whether a model is a checkpoint that shows its stage, and nothing odd besides. */
export function isPlain(model: ModelDetails): boolean {
  return /^checkpoint_ep\d+\.pt$/.test(model.name)
}

/** One line for the chooser: stage, episode, kind of network. */
export function describe(model: ModelDetails): string {
  const episode = episodeOf(model)
  const parts = [
    STAGE_LABELS[stageOf(model)].toLowerCase(),
    episode === null ? null : `${episode.toLocaleString('en')} ${episode === 1 ? 'episode' : 'episodes'}`,
    model.network_type ? (NETWORK_LABELS[model.network_type] ?? model.network_type) : null,
  ]
  return parts.filter((part) => part !== null).join(', ')
}
