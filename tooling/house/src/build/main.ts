/** Builds every package from nothing, so that no file of an earlier build is ever published. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readPackages } from '../workspace.ts'
import { buildBundles } from './bundles.ts'
import { buildDeclarations } from './declarations.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const packages = readPackages(root)
for (const { folder } of packages) rmSync(join(folder, 'dist'), { recursive: true, force: true })
rmSync(join(root, '.cache/tsc'), { recursive: true, force: true })
buildDeclarations(root, packages)
for (const one of packages) await buildBundles(one)
