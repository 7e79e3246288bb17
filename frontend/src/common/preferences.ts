import { defineStore } from 'pinia'
import { computed, ref, watchEffect } from 'vue'

import { stored } from '@/common/storage'

export type Theme = 'system' | 'light' | 'dark'

const isTheme = (value: unknown): value is Theme =>
  value === 'system' || value === 'light' || value === 'dark'
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean'

/** What this person prefers, in this browser. */
export const usePreferences = defineStore('preferences', () => {
  const theme = stored<Theme>('theme', 'system', isTheme)
  /** Single-key shortcuts can disturb speech input, so they can be switched off (WCAG 2.1.4). */
  const shortcuts = stored('shortcuts', true, isBoolean)

  const darkSystem = matchMedia('(prefers-color-scheme: dark)')
  const stillSystem = matchMedia('(prefers-reduced-motion: reduce)')
  const systemDark = ref(darkSystem.matches)
  const reducedMotion = ref(stillSystem.matches)
  darkSystem.addEventListener('change', (event) => (systemDark.value = event.matches))
  stillSystem.addEventListener('change', (event) => (reducedMotion.value = event.matches))

  const dark = computed(() => (theme.value === 'system' ? systemDark.value : theme.value === 'dark'))

  watchEffect(() => {
    if (theme.value === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme.value
  })

  function nextTheme(): void {
    const order: readonly Theme[] = ['system', 'light', 'dark']
    theme.value = order[(order.indexOf(theme.value) + 1) % order.length] ?? 'system'
  }

  return { theme, shortcuts, dark, reducedMotion, nextTheme }
})
