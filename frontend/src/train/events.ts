import { networkLabel, shortName } from '@/models/details'
import { t } from '@/language/text'
import type { PastEvent } from '@/protocol/messages'

export type EventKind = 'started' | 'saved' | 'paused' | 'resumed' | 'stopped' | 'failed' | 'finished'

/** A message that tells what happened in a run. */
export type RunMessage = PastEvent['event']

/** A new trainer has taken over from one that failed, for which there is no message. */
export interface TakenOver { type: 'taken_over'; episode: number }

export interface RunEvent {
  id: number
  at: Date
  what: RunMessage | TakenOver
  kind: EventKind
  /** The model that a run ended with. */
  model?: string
}

const KINDS: Readonly<Record<RunEvent['what']['type'], EventKind>> = {
  training_started: 'started',
  checkpoint_saved: 'saved',
  paused: 'paused',
  resumed: 'resumed',
  taken_over: 'resumed',
  training_stopped: 'stopped',
  training_failed: 'failed',
  training_complete: 'finished',
}

export function kindOf(what: RunEvent['what']): EventKind {
  return KINDS[what.type]
}

/** Return what an event tells beside its kind, in the reader's language; the server's reasons are in its own words. */
export function eventText({ what }: Pick<RunEvent, 'what'>): string {
  switch (what.type) {
    case 'training_started':
      return t('train.events.started', { count: what.num_episodes, network: networkLabel(what.network_type), device: what.device })
    case 'paused':
      return t('train.events.paused', { episode: what.episode, step: what.step })
    case 'resumed':
      return t('train.events.resumed', { episode: what.episode })
    case 'taken_over':
      return t('train.events.anew', { episode: what.episode })
    case 'checkpoint_saved':
      return t('train.events.saved', { model: shortName(what.model), episode: what.episode })
    case 'training_complete':
      return saved(t('train.events.finished', { count: Math.round(what.final_avg_length) }), what.model)
    case 'training_stopped':
      return saved(REQUESTED.test(what.reason) ? t('train.events.requested') : what.reason, what.model)
    case 'training_failed':
      return what.restart ? t('train.events.goesOn', { reason: what.reason }) : what.reason
  }
}

/** The server's words for a run that a person ended. */
const REQUESTED = /^The run was stopped on request\.$/

function saved(said: string, model: string | null): string {
  // What follows goes on with the sentence.
  return model === null ? said : t('train.events.savedAs', { said: said.replace(/\.$/, ''), model: shortName(model) })
}
