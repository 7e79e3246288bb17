import { fileURLToPath } from 'node:url'

import vue from '@vitejs/plugin-vue'
import { type Plugin, defineConfig } from 'vite'

const SERVER = process.env.HAMLET_SERVER ?? 'http://127.0.0.1:8765'

/** Ask for the text face with the page itself, so that it is there at the first paint and nothing moves. */
function preloadTextFace(): Plugin {
  return {
    name: 'preload-text-face',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_html, context) {
        return Object.keys(context.bundle ?? {})
          .filter((name) => /next-latin-wght-normal.*\.woff2$/.test(name))
          .map((name) => ({
            tag: 'link',
            attrs: { rel: 'preload', as: 'font', type: 'font/woff2', crossorigin: true, href: `./${name}` },
            injectTo: 'head' as const,
          }))
      },
    },
  }
}

export default defineConfig({
  base: './',
  plugins: [vue(), preloadTextFace()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false' },
  build: {
    outDir: fileURLToPath(new URL('../hamlet_trio/web/page', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    // A page whose assets are all files passes a strict Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  server: {
    port: 5173,
    strictPort: true,
    proxy: {
      '/ws': { target: SERVER, ws: true },
      '/api': { target: SERVER },
    },
  },
})
