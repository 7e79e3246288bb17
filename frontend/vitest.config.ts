import { defineConfig, mergeConfig } from 'vitest/config'

import page from './vite.config'

// Apart from the page's own configuration, so that building needs no test tools.
export default mergeConfig(page, defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    restoreMocks: true,
    setupFiles: ['tests/english.ts'],
    // No test passes or fails by how fast the machine is.
    testTimeout: 60_000,
  },
}))
