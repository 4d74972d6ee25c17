import { w0 } from './w0.ts'
import { w1 } from './w1.ts'
import { w2 } from './w2.ts'
import { w3 } from './w3.ts'
import { w3Pg } from './w3-pg.ts'
import { w4 } from './w4.ts'
import { w4Pg } from './w4-pg.ts'
import { w5 } from './w5.ts'
import { w6 } from './w6.ts'
import { w7 } from './w7.ts'
import { w8 } from './w8.ts'
import { w9 } from './w9.ts'
import { w10 } from './w10.ts'
import { w10Brokers } from './w10-brokers.ts'
import { w11 } from './w11.ts'
import { w12 } from './w12.ts'
import { w13 } from './w13.ts'
import { w18 } from './w18.ts'
import type { Workload } from './workload.ts'

/** Every workload, in the order in which they run. A new one adds its line. */
export const workloads: readonly Workload[] = [
  ...w0,
  ...w1,
  ...w2,
  ...w3,
  ...w3Pg,
  ...w4,
  ...w4Pg,
  ...w5,
  ...w6,
  ...w7,
  ...w8,
  ...w9,
  ...w10,
  ...w10Brokers,
  ...w11,
  ...w12,
  ...w13,
  ...w18,
]
