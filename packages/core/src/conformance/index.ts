import { boundsCases } from './bounds-cases.ts'
import type { ConformanceCase } from './case.ts'
import type { TransportFactory } from './harness.ts'
import { loadCases } from './load-cases.ts'
import { partitionCases } from './partition-cases.ts'
import { placeCases } from './place-cases.ts'
import { publishCases } from './publish-cases.ts'
import { restartCases } from './restart-cases.ts'
import { settleCases } from './settle-cases.ts'
import { startCases } from './start-cases.ts'

export { type ConformanceCase, eventually, expectThat, failureOf, gate } from './case.ts'
export { codecCases } from './codec-cases.ts'
export type { TransportFactory } from './harness.ts'

/** Every promise a transport must keep. There are no switches: the cases read `supports`. */
export function transportCases(factory: TransportFactory): readonly ConformanceCase[] {
  return [
    publishCases,
    startCases,
    settleCases,
    boundsCases,
    placeCases,
    loadCases,
    partitionCases,
    restartCases,
  ].flatMap((cases) => cases(factory))
}
