import type {
  AffordanceMarker,
  AgentMarker,
  AgentState,
  OptionValue,
  RewardBreakdown,
  StateUpdate,
  TrainingStateUpdate,
  View,
} from '@/protocol/messages'
import { ACTIONS } from '@/world/labels'

/**
 * The world after a step, in one form for both endpoints.
 * Agents are told apart by `id` alone: there may be several.
 */
export interface WorldFrame {
  episode: number
  step: number
  /** Index of the action of this step; means nothing at step 0. */
  action: number
  reward: number
  total: number
  done: boolean
  truncated: boolean
  width: number
  height: number
  agents: readonly AgentMarker[]
  affordances: readonly AffordanceMarker[]
  /** The agent whose action, reward, total, breakdown and failure these are. */
  followed: string
  /** Meters, last action and reward of each agent by its id. */
  states: Readonly<Record<string, AgentState>>
  /** Visits of each cell "x,y", 0..1. */
  heat: Readonly<Record<string, number>>
  failureReason: string | null
  breakdown: RewardBreakdown | null
  qValues: readonly number[] | null
  /** The Q-values are of the choice that comes next, not of the one that led here. */
  ahead: boolean
  attention: readonly (readonly number[])[] | null
  /** Values of the options, of a network that chooses among options. */
  options: readonly OptionValue[] | null
}

/** A policy's outputs as a view that was switched on shows them at once, for the world on screen. */
export function shownValues(view: View): Pick<WorldFrame, 'qValues' | 'attention' | 'options'> {
  return {
    qValues: view.q_values ? view.current_q_values : null,
    attention: view.attention ? view.current_attention : null,
    options: view.q_values ? view.current_option_values : null,
  }
}

export function frameOfInference(update: StateUpdate): WorldFrame {
  return {
    episode: update.episode,
    step: update.step,
    action: update.action,
    reward: update.reward,
    total: update.cumulative_reward,
    done: update.done,
    truncated: update.truncated ?? false,
    width: update.grid.width,
    height: update.grid.height,
    agents: update.grid.agents,
    affordances: update.grid.affordances,
    followed: 'agent_0',
    states: update.agents,
    get heat() { return update.heat_map },
    failureReason: update.info.failure_reason,
    breakdown: update.reward_breakdown ?? null,
    qValues: update.q_values ?? null,
    ahead: update.step === 0,
    attention: update.attention ?? null,
    options: update.option_values ?? null,
  }
}

/** Return a frame whose figures are those of one of several agents; those of a single one stay. */
export function following(frame: WorldFrame, id: string): WorldFrame {
  const state = frame.states[id]
  if (frame.followed === id || state?.cumulative_reward === undefined) return frame
  const action = ACTIONS.findIndex(({ name }) => name === state.last_action)
  return {
    ...frame,
    followed: id,
    action: Math.max(0, action),
    reward: state.reward,
    total: state.cumulative_reward,
    failureReason: state.failure_reason ?? null,
    breakdown: state.reward_breakdown ?? null,
  }
}

/** Return the marker of the agent that is followed. */
export function followedAgent(frame: WorldFrame | null): AgentMarker | undefined {
  return frame?.agents.find(({ id }) => id === frame.followed)
}

export function frameOfTraining(update: TrainingStateUpdate): WorldFrame {
  return {
    episode: update.episode,
    step: update.step,
    action: update.action,
    reward: update.reward,
    total: update.cumulative_reward,
    done: update.done,
    truncated: false,
    width: update.grid.width,
    height: update.grid.height,
    agents: update.agents,
    affordances: update.affordances,
    followed: 'agent_0',
    states: update.agent_meters,
    heat: update.heat_map,
    failureReason: update.info.failure_reason,
    breakdown: null,
    qValues: null,
    ahead: false,
    attention: null,
    options: null,
  }
}

/** Return whether two frames show the same places on the same ground, so that the ground need not be drawn again. */
export function sameGround(a: WorldFrame, b: WorldFrame): boolean {
  return (
    a.width === b.width &&
    a.height === b.height &&
    a.affordances.length === b.affordances.length &&
    (a.affordances === b.affordances || a.affordances.every((place, index) => {
      const other = b.affordances[index]
      return other !== undefined && place.type === other.type && place.label === other.label && place.x === other.x && place.y === other.y
    }))
  )
}
