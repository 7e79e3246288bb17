import { type ShallowRef, computed, shallowRef, watch } from 'vue'

import { HttpProblem } from '@/common/http'
import { type Config, changesOf, same } from '@/editor/config'
import { useUndo } from '@/editor/undo'
import { MAX_WORLD_BYTES, specText } from '@/worlds/spec'
import { type WorldProblem, useWorlds } from '@/worlds/store'
import { t } from '@/language/text'

export interface Draft {
  title: string
  about: string
  config: Config
  /** The own world of the server that it was opened from, or saved as. */
  name: string | null
  /** The preset that it was opened from: its name and rules. Until it has a title, it is told by them. */
  preset?: { title: string; config: Config } | null
}

/** Return the title of a draft: its own, else that of its preset, with a word where it was changed. */
export function titleOf(draft: Draft): string {
  const { title, preset } = draft
  if (title || !preset) return title
  return isPreset(draft) ? preset.title : t('editor.changed', { title: preset.title })
}

function isPreset({ title, preset, config }: Draft): boolean {
  return title === '' && Boolean(preset) && same(preset?.config, config)
}

/** What this tab remembers of the draft while another view is shown, and over a reload. */
interface Kept {
  /** The usual world as it was then: a server of another version may have other fields. */
  usual: Config
  /** What the address named. */
  from: string | null
  draft: Draft
  past: readonly Draft[]
}

const KEY = 'hamlet.editor'
/** Earlier drafts that are remembered, at most. */
const MOST_KEPT = 20

function keep(kept: Kept): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept))
  } catch { /* A browser that stores nothing forgets the draft with the view. */ }
}

function keptWith(usual: Config): Kept | null {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Kept | null
    return same(kept?.usual, usual) ? kept : null
  } catch {
    return null
  }
}

function isJson(text: string): boolean {
  return text.trimStart().startsWith('{')
}

function specOf(usual: Config, draft: Draft): Record<string, unknown> {
  const { about, config } = draft
  // A preset is told by its rules, in each reader's language.
  const title = isPreset(draft) ? '' : titleOf(draft)
  return { ...(title && { title }), ...(about && { about }), ...changesOf(usual, config) }
}

/**
 * Hold the world that is edited. What comes from an address, a file or pasted text is read by the server, which
 * has the rules: a world that it refuses is told in `problem`, and the draft stays. `opened` is called when another one is shown.
 */
export function useDraft(problem: ShallowRef<WorldProblem | null>, opened: () => void = () => {}) {
  const worlds = useWorlds()
  const usual = shallowRef<Config | null>(null)
  const undo = useUndo<Draft | null>(null)
  /** The versions of own worlds that this person has seen, which saving may replace. */
  const versions = new Map<string, string | null>()
  let from: string | null = null

  /** The world as commands take it. */
  const spec = computed(() => (undo.value.value && usual.value ? specOf(usual.value, undo.value.value) : {}))

  watch(undo.value, (draft) => {
    if (draft && usual.value) keep({ usual: usual.value, from, draft, past: undo.past.value.flatMap((one) => one ?? []).slice(-MOST_KEPT) })
  })

  /** Go on with the draft that this tab has, and open the world that the address names if it is another. */
  async function begin(world: string | null): Promise<void> {
    await attempt(async () => { usual.value = (await worlds.get('usual')).world.config as Config })
    if (usual.value === null) return
    const kept = keptWith(usual.value)
    from = world ?? kept?.from ?? null
    if (kept !== null) {
      undo.restart(kept.draft, kept.past)
      if (world === null || world === kept.from || world === specText(spec.value)) return
    }
    await (isJson(world ?? '') ? openText(world ?? '') : openNamed(world?.trim() || 'usual'))
    if (undo.value.value !== null) return
    // A world that is refused leaves no page without one.
    const refusal = problem.value
    await openNamed('usual')
    problem.value = refusal
  }

  /** Open a world of the server. */
  async function openNamed(name: string): Promise<void> {
    await attempt(async () => {
      const { world, version } = await worlds.get(name)
      versions.set(name, version)
      const config = world.config as Config
      show(world.preset
        ? { title: '', about: '', config, name: null, preset: { title: worlds.titleOf(world), config } }
        : { title: world.title, about: world.about, config, name })
    })
  }

  /** Open a world that came as text: without a file's `kind`, JSON begins with a brace, and all else is TOML. */
  async function openText(text: string, kind: 'json' | 'toml' = isJson(text) ? 'json' : 'toml'): Promise<void> {
    await attempt(async () => {
      if (text.trim() === '') throw new HttpProblem(t('worlds.empty'), 422, 'invalid_world')
      if (new Blob([text]).size > MAX_WORLD_BYTES) throw new HttpProblem(t('worlds.tooLarge', { most: MAX_WORLD_BYTES }), 413, null)
      const { title, about, config } = await worlds.check(text, kind)
      show({ title, about, config: config as Config, name: null })
    })
  }

  /** What was there is one step of undo away. */
  function show(draft: Draft): void {
    problem.value = null
    opened()
    if (undo.value.value === null) undo.restart(draft)
    else undo.change(draft)
  }

  async function attempt(open: () => Promise<void>): Promise<void> {
    try {
      await open()
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error
      problem.value = { message: t('editor.notOpened', { message: error.message }), field: null }
    }
  }

  /** Note under which name the draft was saved; that is no change to take back. */
  function saved(name: string): void {
    const before = undo.value.value?.name
    undo.rewrite((draft) => (draft && draft.name === before ? { ...draft, name } : draft))
  }

  return { usual, undo, spec, versions, begin, openNamed, openText, saved }
}
