"""In SmolLM2 one component of one head tells the name mover where not to look: by weights, and by what is lost."""

import numpy as np

from explicate.data.language.ioi import ioi_prompts
from explicate.mechanisms.channels import ChannelSearch, channels
from explicate.mechanisms.weights import HeadWeights


def test_one_channel_carries_the_inhibition(smollm2):
    weights = HeadWeights.of(smollm2)
    task = ioi_prompts(smollm2, 6, seed=3)
    found = ChannelSearch().run(smollm2, task, (23, 0), weights)
    lost = -found["effect"].values.mean(axis=1)
    best = int(lost.argmax())
    assert (str(found.sites[best]), int(found["component"][best])) == ("L20.head_out.H0", 0)
    assert lost[best] > 0.5 * float(found["base_score"].mean())
    assert found["rank"].values[best] <= 30  # of 13,248
    assert np.sort(lost)[-2] < lost[best] / 3
    ids = smollm2.encode(task.texts)
    io = [smollm2.token_index(each.io) for each in task.prompts]
    s = [smollm2.token_index(each.s) for each in task.prompts]
    rows = np.arange(6)
    clean = smollm2.predict(ids)
    with smollm2.intervene(channels(weights, (20, 0))[0].removed()):
        without = smollm2.predict(ids)
    margins = [float((logits[rows, io] - logits[rows, s]).mean()) for logits in (clean, without)]
    assert margins[1] < 0.95 * margins[0]  # other parts write the answer too
