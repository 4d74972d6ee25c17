import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readScripts } from '../src/index.ts'

test('a module that was bundled away from its scripts is told to stay out of the bundle', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evt-bundle-'))
  try {
    const bundle = pathToFileURL(join(folder, 'service.mjs')).href
    expect(() => readScripts(bundle, ['append'])).toThrow(/^No scripts folder above .*: leave .* out of a bundle$/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
