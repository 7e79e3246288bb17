import type { ConnectionEvents } from '@/common/socket'
import type {
  AgentMarker,
  AgentState,
  OptionValue,
  RewardBreakdown,
  StateDelta,
  StateUpdate,
  TrainingStateDelta,
  TrainingStateUpdate,
} from '@/protocol/messages'
import { ACTIONS, type ActionName } from '@/world/labels'

type Delta = StateDelta | TrainingStateDelta
type FullFrame = StateUpdate | TrainingStateUpdate
/** The full frame that a message of either endpoint stands for, if it is a frame; else the message. */
type Whole<Message> = Exclude<Message, Delta>

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_'
const VALUE_OF_DIGIT: ReadonlyMap<string, number> = new Map([...DIGITS].map((digit, value) => [digit, value]))
const ATTENTION_SIDE = 6

/** Read the frames of one connection, where most are changes of the last full one. */
export class FrameReader<Message extends { type: string }> {
  private base: FullFrame | null = null

  /** A new connection begins with a full frame. */
  clear(): void {
    this.base = null
  }

  /** Return the message, or the full frame that a compact one stands for; null for one whose base is not known. */
  whole(message: Message): Whole<Message> | null {
    if (isFullFrame(message)) this.base = message
    if (!isDelta(message)) return message as Whole<Message>
    const { base } = this
    if (base?.base !== message.base) return null
    return ('affordances' in base ? trainingFrame(base, message as TrainingStateDelta)
      : sessionFrame(base, message as StateDelta)) as unknown as Whole<Message>
  }
}

/** Have a connection's compact frames received as the full ones that they stand for. */
export function readingFrames<Message extends { type: string }>(events: ConnectionEvents<Message>): ConnectionEvents<Message> {
  const reader = new FrameReader<Message>()
  return {
    message: (message) => {
      const whole = reader.whole(message)
      if (whole !== null) events.message(whole)
    },
    down: () => {
      reader.clear()
      events.down?.()
    },
  }
}

function isFullFrame(message: { type: string }): message is FullFrame {
  return message.type === 'state_update'
}

function isDelta(message: { type: string }): message is Delta {
  return message.type === 'delta'
}

function sessionFrame(base: StateUpdate, delta: StateDelta): StateUpdate {
  const numbers = new Numbers(delta.numbers)
  const reward = numbers.next()
  const cumulativeReward = numbers.next()
  const old = base.grid.agents
  const states = agentStates(old, delta, numbers, reward, (number, its, acted) => {
    if (delta.reward_breakdowns) return delta.reward_breakdowns[number] ?? null
    return acted ? plain(its) : null
  })
  const terms = delta.reward_breakdown === undefined ? plain(reward) : delta.reward_breakdown
  const frame: StateUpdate = {
    ...base,
    step: delta.step,
    action: delta.action,
    reward,
    cumulative_reward: cumulativeReward,
    done: delta.done ?? false,
    info: { step: delta.step, failure_reason: delta.failure_reason ?? null },
    grid: { ...base.grid, agents: agentMarkers(old, delta, states, false) },
    agents: states,
    truncated: delta.truncated ?? false,
    ...(delta.q_values !== undefined && { q_values: doubles(delta.q_values) }),
    ...(delta.attention !== undefined && { attention: rows(doubles(delta.attention)) }),
    ...(delta.option_values !== undefined && { option_values: options(base.option_values ?? [], delta.option_values) }),
    visits: visitsAfter(base, delta.visited),
  }
  lazily(frame, 'heat_map', () => heatOf(frame.visits ?? [], base.grid.width))
  if (terms === null) delete frame.reward_breakdown
  else frame.reward_breakdown = breakdown(terms)
  return frame
}

function trainingFrame(base: TrainingStateUpdate, delta: TrainingStateDelta): TrainingStateUpdate {
  const numbers = new Numbers(delta.numbers)
  const reward = numbers.next()
  const cumulativeReward = numbers.next()
  const epsilon = numbers.next()
  const states = agentStates(base.agents, delta, numbers, reward, () => null)
  return {
    ...base,
    step: delta.step,
    action: delta.action,
    reward,
    cumulative_reward: cumulativeReward,
    epsilon,
    done: delta.done ?? false,
    info: { step: delta.step, failure_reason: delta.failure_reason ?? null },
    agents: agentMarkers(base.agents, delta, states, true),
    agent_meters: states,
    heat_map: delta.heat_map === undefined ? base.heat_map : { ...base.heat_map, ...delta.heat_map },
  }
}

type TermsOf = (number: number, reward: number, acted: boolean) => number[] | null

/** The state of each agent by its id, in their order. */
function agentStates(
  old: readonly AgentMarker[], delta: Delta, numbers: Numbers, reward: number, termsOf: TermsOf,
): Record<string, AgentState> {
  const several = old.length > 1
  return Object.fromEntries(old.map(({ id }, number) => {
    const action = several ? (delta.last_actions?.[number] ?? null) : delta.action
    const meters = {
      energy: numbers.next(), hygiene: numbers.next(), satiation: numbers.next(),
      money: numbers.next(), mood: numbers.next(), social: numbers.next(),
    }
    const state: AgentState = { meters, last_action: actionName(action), reward: several ? numbers.next() : reward }
    return [id, several ? { ...state, ...among(old, delta, number, numbers.next(), termsOf(number, state.reward, action !== null)) } : state]
  }))
}

/** What is told of an agent among several. */
function among(
  old: readonly AgentMarker[], delta: Delta, number: number, total: number, terms: number[] | null,
): Partial<AgentState> {
  const failure = delta.failure_reasons?.[number] ?? null
  const other = old[delta.waiting_for?.[number] ?? -1]
  return {
    alive: failure === null,
    failure_reason: failure,
    cumulative_reward: total,
    ...(other && { waiting_for: other.id as NonNullable<AgentState['waiting_for']> }),
    ...(terms !== null && { reward_breakdown: breakdown(terms) }),
  }
}

function agentMarkers(
  old: readonly AgentMarker[], delta: Delta, states: Record<string, AgentState>, withRewards: boolean,
): AgentMarker[] {
  return old.map((marker, number) => {
    const state = states[marker.id]
    return {
      ...marker,
      x: delta.cells[2 * number] ?? marker.x,
      y: delta.cells[2 * number + 1] ?? marker.y,
      last_action: state?.last_action ?? '',
      ...(withRewards && state && { reward: state.reward }),
    }
  })
}

function actionName(action: number | null): ActionName | '' {
  return action === null ? '' : (ACTIONS[action]?.name ?? '')
}

/** The terms of a reward that comes from the meters alone. */
function plain(reward: number): number[] {
  return [reward, 0, 0, 0, 0]
}

function breakdown([meters = 0, interaction = 0, proximity = 0, hunger = 0, ending = 0]: number[]): RewardBreakdown {
  return { meters, interaction, proximity, hunger, ending }
}

function options(old: readonly OptionValue[], text: string): OptionValue[] {
  const values = doubles(text)
  return old.map((option, number) => ({ ...option, value: values[number] ?? option.value }))
}

function rows(weights: number[]): number[][] {
  const starts = Array.from({ length: weights.length / ATTENTION_SIDE }, (_, row) => row * ATTENTION_SIDE)
  return starts.map((start) => weights.slice(start, start + ATTENTION_SIDE))
}

/** The visits of each cell after those of a path. */
function visitsAfter(base: StateUpdate, path: string): number[] {
  const visits = [...(base.visits ?? [])]
  let digits = 1
  while (DIGITS.length ** digits < visits.length) digits += 1
  for (let start = 0; start < path.length; start += digits) {
    let cell = 0
    for (const digit of path.slice(start, start + digits)) cell = DIGITS.length * cell + (VALUE_OF_DIGIT.get(digit) ?? 0)
    visits[cell] = (visits[cell] ?? 0) + 1
  }
  return visits
}

/** The share of each visited cell "x,y", beside the most visited one. */
function heatOf(visits: readonly number[], width: number): Record<string, number> {
  const most = Math.max(...visits)
  const heat: Record<string, number> = {}
  visits.forEach((count, cell) => {
    if (count > 0) heat[`${cell % width},${Math.floor(cell / width)}`] = Math.floor((2000 * count + most) / (2 * most)) / 1000
  })
  return heat
}

/** Compute a property when it is first read: of a hundred frames a second, few are shown. */
function lazily<Frame, Key extends keyof Frame>(frame: Frame, key: Key, compute: () => Frame[Key]): void {
  const define = (what: PropertyDescriptor): void => { Object.defineProperty(frame, key, { configurable: true, enumerable: true, ...what }) }
  define({
    get() {
      const value = compute()
      define({ value, writable: true })
      return value
    },
  })
}

/** Read numbers one after another. */
class Numbers {
  private place = 0
  private readonly values: number[]

  constructor(text: string) {
    this.values = doubles(text)
  }

  next(): number {
    this.place += 1
    return this.values[this.place - 1] ?? 0
  }
}

/** Return the numbers of a Base64 text of little-endian binary64. */
function doubles(text: string): number[] {
  const bytes = atob(text)
  const data = new Uint8Array(bytes.length)
  for (let place = 0; place < bytes.length; place++) data[place] = bytes.charCodeAt(place)
  const view = new DataView(data.buffer)
  return Array.from({ length: data.length / 8 }, (_, number) => view.getFloat64(8 * number, true))
}
