import type { StateUpdate } from '@/protocol/messages'
import type { Spot } from '@/room/client'

/** The longest text of a cursor, and of a frame: browsers carry no more than 256 KiB in one message. */
export const MAX_SPOT = 64
export const MAX_FRAME = 131_072
/** Cells beyond which nothing is pointed at, as on the server. */
const FAR = 64
const MAX_AGENTS = 8
const MAX_PLACES = 64
const MAX_CELLS = 4096
const MAX_WORD = 64

/** Return whether a value has the form of what is shown. */
type Check = (value: unknown) => boolean

const isFlag: Check = (value) => typeof value === 'boolean'
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value)
const isWord: Check = (value) => typeof value === 'string' && value.length <= MAX_WORD

function isWhole(least: number, most: number = Number.MAX_SAFE_INTEGER): Check {
  return (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most
}

function orNull(check: Check): Check {
  return (value) => value === null || check(value)
}

function listOf(check: Check, most: number): Check {
  return (value) => Array.isArray(value) && value.length <= most && value.every(check)
}

function recordOf(check: Check, most: number): Check {
  return (value) => {
    if (!isObject(value)) return false
    const entries = Object.entries(value)
    return entries.length <= most && entries.every(([key, each]) => isWord(key) && check(each))
  }
}

/** Return whether all fields are there and right; those of `optional` may be missing, others are not looked at. */
function shape(fields: Record<string, Check>, optional: Record<string, Check> = {}): Check {
  return (value) => isObject(value)
    && Object.entries(fields).every(([name, check]) => check(value[name]))
    && Object.entries(optional).every(([name, check]) => value[name] === undefined || check(value[name]))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const column = isWhole(0, FAR - 1)
const breakdown = shape({ meters: isNumber, interaction: isNumber, proximity: isNumber, hunger: isNumber, ending: isNumber })
const meters = shape({ energy: isNumber, hygiene: isNumber, satiation: isNumber, money: isNumber, mood: isNumber, social: isNumber })

const isUpdate = shape(
  {
    type: (value) => value === 'state_update',
    step: isWhole(0),
    episode: isWhole(0),
    action: isWhole(0, 4),
    reward: isNumber,
    cumulative_reward: isNumber,
    done: isFlag,
    grid: shape({
      width: isWhole(1, FAR),
      height: isWhole(1, FAR),
      agents: listOf(shape({ id: isWord, x: column, y: column, color: isWord, last_action: isWord }), MAX_AGENTS),
      affordances: listOf(shape({ type: isWord, x: column, y: column }, { label: isWord }), MAX_PLACES),
    }),
    agents: recordOf(shape({ meters, last_action: isWord, reward: isNumber }, {
      alive: isFlag, failure_reason: orNull(isWord), cumulative_reward: isNumber, waiting_for: isWord, reward_breakdown: breakdown,
    }), MAX_AGENTS),
    info: shape({ step: isWhole(0), failure_reason: orNull(isWord) }),
    heat_map: recordOf(isNumber, MAX_CELLS),
  },
  {
    truncated: isFlag,
    reward_breakdown: breakdown,
    q_values: listOf(isNumber, MAX_PLACES),
    attention: orNull(listOf(listOf(isNumber, MAX_AGENTS), MAX_AGENTS)),
    option_values: listOf(shape({ place: isWord, value: isNumber }), MAX_PLACES),
  },
)

function parsed(data: unknown, longest: number): unknown {
  if (typeof data !== 'string' || data.length > longest) return undefined
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}

/** Return where a peer points, or undefined for anything else that it sent. */
export function readSpot(data: unknown): Spot | null | undefined {
  const read = parsed(data, MAX_SPOT)
  if (read === null) return null
  const isNear: Check = (value) => isNumber(value) && Number(value) >= -1 && Number(value) <= FAR
  return Array.isArray(read) && read.length === 2 && read.every(isNear) ? [Number(read[0]), Number(read[1])] : undefined
}

/** Return the frame that a peer sent, or undefined for anything else: the page draws nothing that has another form. */
export function readFrame(data: unknown): StateUpdate | undefined {
  const read = parsed(data, MAX_FRAME)
  return isUpdate(read) ? (read as StateUpdate) : undefined
}
