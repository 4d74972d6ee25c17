import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { entriesOf } from '../manifest-shape.ts'
import type { Package } from '../workspace.ts'

/**
 * Writes the code of a package as ESM and as CommonJS, in as few files as it has entries: Node takes 0.3 ms to load a
 * file, and importing core as it is written would cost 25 ms.
 */
export async function buildBundles({ folder, manifest }: Package): Promise<void> {
  const bundle = await rolldown({
    cwd: folder,
    input: { ...entriesOf(manifest) },
    platform: 'node',
    external: (module) => !module.startsWith('.') && !module.startsWith('src/') && !module.startsWith(folder),
    tsconfig: false,
    logLevel: 'warn',
  })
  // Comments belong to the types, where editors show them; in the code they would only be read by Node at every start.
  const files = { entryFileNames: '[name].js', chunkFileNames: 'chunk-[hash].js', comments: false }
  await bundle.write({ dir: join(folder, 'dist/esm'), format: 'es', ...files })
  await bundle.write({ dir: join(folder, 'dist/cjs'), format: 'cjs', ...files })
  await bundle.close()
  writeFileSync(join(folder, 'dist/cjs/package.json'), '{"type":"commonjs"}\n')
}
