import { expect, it } from 'vitest'
import { PRELUDE } from '../../kernels/linked.generated.ts'
import { ENVIRONMENT_WORDS, MAX_PATH_SKELETONS, WORKGROUP_SIZE } from '../../transpiler/layout/environment.ts'
import { randomWords } from '../fixtures/edge_words.ts'
import { columnsOf, describeOnAdapters, environmentOf, laneBuffers, laneEntry, laneVector, laneWord } from './rig.ts'

/** A dispatch of more workgroups than one dimension holds is laid out in two. */
const MANY = 65_535 * WORKGROUP_SIZE + 777

describeOnAdapters('lanes', (rig) => {
  it('environment_word and environment_skeleton read what the host laid out', async () => {
    const words = randomWords(3, ENVIRONMENT_WORDS.length)
    const skeletons = Array.from({ length: MAX_PATH_SKELETONS }, (_, i) => 1000 + i)
    const laneCount = MAX_PATH_SKELETONS
    const [lanesOut] = await rig.run({
      label: 'environment',
      wgsl:
        PRELUDE +
        laneEntry(`
          lane_out(0u, lane, vec4<u32>(environment_skeleton(lane), 7u, lane_count(), 0u));
          lane_out_word(1u, lane, environment_word(lane % ${words.length}u));`),
      entryPoint: 'test',
      buffers: laneBuffers(environmentOf({ laneCount, words, skeletons }), new Uint32Array(4), 3),
      invocations: laneCount,
    })
    for (let lane = 0; lane < laneCount; lane++) {
      expect(laneVector(lanesOut!, laneCount, 0, lane)).toEqual([1000 + lane, 7, laneCount, 0])
      expect(laneWord(lanesOut!, laneCount, 1, lane)).toBe(words[lane % words.length])
    }
  })

  it('lane_in and lane_out address columns, and lanes past the count write nothing', async () => {
    const laneCount = 100
    const words = randomWords(4, laneCount)
    const vectors = words.map((_, i) => [i, i + 1, i + 2, i + 3])
    const [lanesOut] = await rig.run({
      label: 'columns',
      wgsl:
        PRELUDE + laneEntry('lane_out_word(0u, lane, lane_in_word(1u, lane)); lane_out(2u, lane, lane_in(0u, lane));'),
      entryPoint: 'test',
      // A fourth column stays as it is.
      buffers: laneBuffers(environmentOf({ laneCount }), columnsOf([vectors, words]), 4),
      invocations: 2 * laneCount,
    })
    expect(words.map((_, lane) => laneWord(lanesOut!, laneCount, 0, lane))).toEqual(words)
    expect(words.map((_, lane) => laneVector(lanesOut!, laneCount, 2, lane))).toEqual(vectors)
    expect([...lanesOut!.subarray(3 * laneCount * 4)].every((limb) => limb === 0)).toBe(true)
  })

  it('lane_index numbers every invocation of a dispatch in two dimensions once', async () => {
    const [counts] = await rig.run({
      label: 'lane_index',
      wgsl: `${PRELUDE}
@group(0) @binding(9) var<storage, read_write> counts: array<atomic<u32>>;
@compute @workgroup_size(${WORKGROUP_SIZE})
fn test(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) local: u32,
) {
  let lane = lane_index(workgroup, workgroups, local);
  if (lane < lane_count()) {
    atomicAdd(&counts[lane], 1u);
  }
}`,
      entryPoint: 'test',
      buffers: [
        { binding: 0, type: 'uniform', data: environmentOf({ laneCount: MANY }) },
        { binding: 9, type: 'storage', sizeBytes: 4 * MANY, output: true },
      ],
      invocations: MANY,
    })
    expect(counts!.length).toBe(MANY)
    expect(counts!.every((count) => count === 1)).toBe(true)
  })
})
