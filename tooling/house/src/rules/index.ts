import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RootManifest } from '../manifest-shape.ts'
import { readPackages, type Violation } from '../workspace.ts'
import { checkConformance } from './conformance.ts'
import { checkDependencies } from './dependencies.ts'
import { checkErrorCodes } from './error-codes.ts'
import { checkLayers } from './layers.ts'
import { checkManifests } from './manifest.ts'
import { checkNames } from './names.ts'
import { checkReadmes } from './readme.ts'

/** Every broken rule of every package below a root. */
export function checkPackages(root: string): readonly Violation[] {
  const packages = readPackages(root)
  const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as RootManifest
  return [
    ...checkNames(packages),
    ...checkManifests(packages, rootManifest),
    ...checkDependencies(packages),
    ...checkLayers(packages),
    ...checkReadmes(packages),
    ...checkConformance(packages),
    ...checkErrorCodes(packages),
  ]
}
