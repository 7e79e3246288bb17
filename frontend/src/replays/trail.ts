import { serverUrl } from '@/common/http'

export type Cell = readonly [x: number, y: number]

/** Where an agent went in a recorded episode, in the world that it went through. */
export interface Trail {
  width: number
  height: number
  places: readonly { name: string; type: string; x: number; y: number }[]
  /** Its cell at step 0 and after each step. */
  cells: readonly Cell[]
}

/** What a file's header tells, of all that it holds. */
interface Header {
  info: { steps: number }
  world: { width: number; height: number; affordances: { name: string; type?: string; x: number; y: number }[] }
  start: { positions: Cell[] }
}

const MAGIC = 'HAMLETREC'
const FORMATS = [1, 2]
const LENGTH_AT = MAGIC.length + 1 + 32
const HEADER_AT = LENGTH_AT + 4
/** Up, down, left, right; any other action stays. */
const MOVES: readonly Cell[] = [[0, -1], [0, 1], [-1, 0], [1, 0]]

/** Return the trail in a recording's file; null for a format that this page does not know. */
export async function readTrail(file: ArrayBuffer): Promise<Trail | null> {
  const bytes = new Uint8Array(file)
  const magic = new TextDecoder('latin1').decode(bytes.subarray(0, MAGIC.length))
  if (magic !== MAGIC || bytes.length < HEADER_AT || !FORMATS.includes(bytes[MAGIC.length] ?? 0)) return null
  const length = new DataView(file).getUint32(LENGTH_AT, true)
  try {
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_AT, HEADER_AT + length))) as Header
    const actions = await unpacked(bytes.subarray(HEADER_AT + length), header.info.steps)
    return trailOf(header, actions)
  } catch {
    return null // cut off or damaged: the list says so, and there is no picture
  }
}

function trailOf({ world, start }: Header, actions: Uint8Array): Trail | null {
  const [first] = start.positions
  if (first === undefined || start.positions.length > 1) return null
  let [x, y] = first
  const cells: Cell[] = [[x, y]]
  for (const action of actions) {
    const [dx, dy] = MOVES[action] ?? [0, 0]
    x = Math.min(Math.max(x + dx, 0), world.width - 1)
    y = Math.min(Math.max(y + dy, 0), world.height - 1)
    cells.push([x, y])
  }
  const places = world.affordances.map(({ name, type, x: column, y: row }) => ({ name, type: type ?? name, x: column, y: row }))
  return { width: world.width, height: world.height, places, cells }
}

/** Return the first `count` bytes of what was packed with zlib. */
async function unpacked(packed: Uint8Array<ArrayBuffer>, count: number): Promise<Uint8Array> {
  const found = new Uint8Array(count)
  let filled = 0
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate')).getReader()
  while (filled < count) {
    const { done, value } = await reader.read()
    if (done) throw new RangeError('the file ends early')
    const part = value.subarray(0, count - filled)
    found.set(part, filled)
    filled += part.length
  }
  await reader.cancel()
  return found
}

const KEPT = 200
const known = new Map<string, Promise<Trail | null>>()

/** Return a recording's trail, read once; null where it cannot be had. */
export function trailOfRecording(recording: string): Promise<Trail | null> {
  const kept = known.get(recording)
  if (kept !== undefined) return kept
  const reading = fetch(serverUrl(`api/recordings/${encodeURIComponent(recording)}/file`))
    .then(async (response) => (response.ok ? readTrail(await response.arrayBuffer()) : null))
    .catch(() => null)
  known.set(recording, reading)
  const [oldest] = known.keys()
  if (known.size > KEPT && oldest !== undefined) known.delete(oldest)
  return reading
}

/** Return how often each cell was stood on, from 0 to 1 for the one that was most. */
export function visits({ cells }: Trail): { x: number; y: number; share: number }[] {
  const counts = new Map<string, { x: number; y: number; count: number }>()
  for (const [x, y] of cells) {
    const one = counts.get(`${x} ${y}`) ?? { x, y, count: 0 }
    one.count += 1
    counts.set(`${x} ${y}`, one)
  }
  const most = Math.max(...[...counts.values()].map(({ count }) => count))
  return [...counts.values()].map(({ x, y, count }) => ({ x, y, share: count / most }))
}
