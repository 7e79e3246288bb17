import type { Member, Playback, Stroke, VoteState } from '@/protocol/messages'

/** A room as one of its members knows it. */
export interface RoomState {
  /** One's own number; null while there is no connection. */
  you: number | null
  /** The room that one is in, or wants to be in. */
  room: string
  members: readonly Member[]
  strokes: readonly Stroke[]
  /** Whether members may draw. */
  drawing: boolean
  vote: VoteState | null
  /** One's own vote in it. */
  choice: number | null
  /** The member whose life is shown to everybody. */
  spotlight: number | null
  /** How many members each group has. */
  groups: Readonly<Record<string, number>>
  /** Whether the server lets members of this group connect to each other. */
  peers: boolean
  stunPort: number | null
  /** Whether every other member of the group is connected to this one. */
  direct: boolean
  /** The room in which this member wanted to be and that has no place; null: none. */
  full: string | null
  /** Who chooses the actions of the life in `feed`, as far as it was told. */
  controller: Playback['controller']
  /** Why the server refused the last command. */
  error: string | null
}

/** Return the state of a member that is in no room yet, and wants to be in this one. */
export function emptyRoom(room: string): RoomState {
  return {
    you: null, room, members: [], strokes: [], drawing: true, vote: null, choice: null, spotlight: null, groups: {},
    peers: false, stunPort: null, direct: false, full: null, controller: 'policy', error: null,
  }
}
