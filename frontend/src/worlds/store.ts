import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'

import { HttpProblem, request, useResource } from '@/common/http'
import type { CheckedWorld, ListedWorld, WorldInfo, WorldResponse, WorldsResponse } from '@/protocol/messages'
import { isWorldName, ownChanges, type WorldSpec, specTitle } from '@/worlds/spec'
import type { English } from '@/language/message'
import { t, texts } from '@/language/text'

/** Why the server refused a world, and at which field of it. */
export interface WorldProblem {
  message: string
  /** Such as `affordances.Bed.x`; null where it is about the whole world. */
  field: string | null
}

/** Return the field of a world that a command's `field` means: `world.width` is `width`. */
export function fieldInWorld(field: string | null): string | null {
  return field?.startsWith('world.') ? field.slice('world.'.length) : null
}

type Presets = English['worlds']['preset']

/** Return the name by which the page's texts know a preset, if they do. */
function presetKey({ name, preset }: Pick<ListedWorld, 'name' | 'preset'>): keyof Presets | null {
  const key = name.replaceAll('-', '_')
  return preset && Object.hasOwn(texts().worlds.preset, key) ? key as keyof Presets : null
}

/** Return the address of a world; raises `HttpProblem` for what is no name, some of which are parts of an address, such as `..`. */
function addressOf(name: string): string {
  if (!isWorldName(name)) throw new HttpProblem(t('worlds.nameRule'), 422, 'invalid_world', null, 'name')
  return `api/worlds/${encodeURIComponent(name)}`
}

/** The server's worlds: the presets, and those that were saved here. */
export const useWorlds = defineStore('worlds', () => {
  const { data, problem, refresh } = useResource((signal) => request<WorldsResponse>('api/worlds', { signal }))

  const all = computed<readonly ListedWorld[]>(() => data.value?.worlds ?? [])
  const byName = computed(() => new Map(all.value.map((world) => [world.name, world])))
  /** What was wrong with the last world that a session or a run was to take; the editor shows it at its field. */
  const refused = shallowRef<WorldProblem | null>(null)

  /** Return one world with the version that saving over it takes. Raises `HttpProblem`. */
  async function get(name: string): Promise<{ world: WorldResponse; version: string | null }> {
    let version: string | null = null
    const world = await request<WorldResponse>(addressOf(name), {
      answered: (headers) => { version = headers.get('etag') },
    })
    return { world, version }
  }

  /** Return the world that a file's text describes; raises `HttpProblem` for one that is not allowed. */
  function check(text: string, kind: 'json' | 'toml'): Promise<CheckedWorld> {
    return request('api/world_check', { method: 'POST', body: text, headers: { 'content-type': `application/${kind}` } })
  }

  /** Save a world, in place of the version that the person has seen. Returns the new version; raises `HttpProblem`. */
  async function save(name: string, world: object, version: string | null): Promise<string | null> {
    let saved: string | null = null
    await request(addressOf(name), {
      method: 'PUT', body: world, headers: version === null ? {} : { 'if-match': version },
      answered: (headers) => { saved = headers.get('etag') },
    })
    await refresh()
    return saved
  }

  function titleOf(world: Pick<ListedWorld, 'name' | 'title' | 'preset'>): string {
    const known = presetKey(world)
    return known ? t(`worlds.preset.${known}.title`) : world.title || world.name
  }

  function aboutOf(world: Pick<ListedWorld, 'name' | 'about' | 'preset'>): string {
    const known = presetKey(world)
    return known ? t(`worlds.preset.${known}.about`) : world.about
  }

  /** Return the title of a world as text in the address or a parameter. */
  function titleOfSpec(spec: WorldSpec | null): string {
    if (spec === null) return t('worlds.preset.usual.title')
    if (typeof spec !== 'string') return specTitle(spec) ?? t('worlds.itsOwn')
    const known = byName.value.get(spec)
    return known ? titleOf(known) : spec
  }

  /** Return the title of a world as a session or a run tells of it. */
  function titleOfInfo(info: WorldInfo | null | undefined): string {
    const known = all.value.find((world) => world.digest !== null && world.digest === info?.digest)
    if (known && (!info?.title || info.title === known.title)) return titleOf(known)
    if (info?.title) return info.title
    return Object.keys(ownChanges(info)).length > 0 ? t('worlds.itsOwn') : t('worlds.preset.usual.title')
  }

  return { all, byName, problem, refused, refresh, get, check, save, titleOf, aboutOf, titleOfSpec, titleOfInfo }
})
