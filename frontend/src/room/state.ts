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
  /** Who ended drawing, and may draw all the same. */
  drawingEndedBy: number | null
  vote: VoteState | null
  /** One's own vote in it. */
  choice: number | null
  /** The last vote that was open while this member was here, unless it looked away from its result. */
  joinedVote: number | null
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
    you: null, room, members: [], strokes: [], drawing: true, drawingEndedBy: null, vote: null, choice: null, joinedVote: null, spotlight: null, groups: {},
    peers: false, stunPort: null, direct: false, full: null, controller: 'policy', error: null,
  }
}

/** Return the member of this number; null if it is not here. */
export function memberOf(state: RoomState, number: number | null): Member | null {
  return state.members.find((one) => one.member === number) ?? null
}

/** Set what changes of a member. */
export function change(state: RoomState, number: number, changed: Partial<Member>): void {
  state.members = state.members.map((one) => (one.member === number ? { ...one, ...changed } : one))
}

/** Take a stroke away. */
export function strike(state: RoomState, member: number, id: string | null): void {
  state.strokes = state.strokes.filter((stroke) => stroke.member !== member || stroke.id !== id)
}

/** Return the member on whose life there is a vote that one takes part in, until one looks away from its result. */
export function askedLife(state: RoomState): number | null {
  const { vote, joinedVote } = state
  return vote?.member !== undefined && vote.number === joinedVote && memberOf(state, vote.member)?.has_session ? vote.member : null
}

/** Return whether the server sends this life to everybody, whoever gets it directly besides. */
export function isShownToAll({ spotlight, vote }: RoomState, member: number): boolean {
  return member === spotlight || (member === vote?.member && vote.outcome === undefined)
}
