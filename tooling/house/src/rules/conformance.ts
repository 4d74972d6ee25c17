import { importsOf } from '../imports.ts'
import { layerOf } from '../layers.ts'
import { filesBelow, type Package, type Violation } from '../workspace.ts'

/** Families whose contract, and with it the suite, stands in core. */
const contractsOfCore = new Set(['transport', 'codec'])

/** Every contract has a suite, and the tests of every adapter load the suite of their contract. */
export function checkConformance(packages: readonly Package[]): readonly Violation[] {
  const withSuite = new Set(packages.filter((one) => one.manifest.exports?.['./conformance']).map((one) => one.path))
  return packages.flatMap(({ path, folder, manifest }) => {
    if (layerOf(path) !== 'adapter') return []
    const family = path.split('/')[1]!
    const capability = contractsOfCore.has(family) ? 'packages/core' : `packages/${family}/core`
    const suite = contractsOfCore.has(family) ? '@evt/core/conformance' : `@evt/${family}/conformance`
    const broken = (what: string): Violation[] => [{ package: manifest.name, rule: 'conformance', what }]
    if (!withSuite.has(capability)) return broken(`${suite} does not exist`)
    const runs = filesBelow(`${folder}/test`, '.test.ts').some((file) => importsOf(file).includes(suite))
    return runs ? [] : broken(`no test of it imports ${suite}`)
  })
}
