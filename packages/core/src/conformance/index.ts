import { boundsCases } from './bounds-cases.ts'
import type { ConformanceCase } from './case.ts'
import type { TransportFactory } from './harness.ts'
import { publishCases } from './publish-cases.ts'
import { settleCases } from './settle-cases.ts'

export { type ConformanceCase, eventually, expectThat, failureOf, gate } from './case.ts'
export { codecCases } from './codec-cases.ts'
export type { TransportFactory } from './harness.ts'

/** Every promise a transport must keep. There are no switches: the cases read `supports`. */
export function transportCases(factory: TransportFactory): readonly ConformanceCase[] {
  return [...publishCases(factory), ...settleCases(factory), ...boundsCases(factory)]
}
