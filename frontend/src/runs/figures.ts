import type { StoredEpisode } from '@/protocol/messages'

/** More lines than this nobody tells apart. */
export const MOST_CHOSEN = 8

/** What a learning curve shows of each episode; `smooth` where single episodes scatter. */
export const FIGURES = {
  survival: { digits: 0, smooth: true, value: (one) => one.length },
  evaluated: { digits: 0, smooth: false, value: (one) => one.evaluation?.mean_length ?? null },
  anywhere: { digits: 0, smooth: false, value: (one) => one.evaluation_random?.mean_length ?? null },
  return: { digits: 1, smooth: true, value: (one) => one.reward },
  evaluatedReturn: { digits: 1, smooth: false, value: (one) => one.evaluation?.mean_return ?? null },
  loss: { digits: 3, smooth: true, value: (one) => one.loss },
  qValue: { digits: 2, smooth: true, value: (one) => one.q_value },
  epsilon: { digits: 2, smooth: false, value: (one) => one.epsilon },
} as const satisfies Record<string, { digits: number; smooth: boolean; value(episode: StoredEpisode): number | null | undefined }>

export type FigureName = keyof typeof FIGURES

export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[]
