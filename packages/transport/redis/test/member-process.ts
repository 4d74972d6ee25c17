/** A process of its own that is one member of a group over this transport, until it is killed. */
import { runMember } from '@evt/killed/member'
import { Redis } from 'ioredis'
import { redisTransport } from '../src/index.ts'

await runMember((url = '', prefix = '') => redisTransport({ client: new Redis(url), prefix }))
