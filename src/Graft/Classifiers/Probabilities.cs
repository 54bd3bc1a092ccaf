namespace Graft.Classifiers;

public static class Probabilities
{
    /// <summary>Logits as probabilities that sum to 1.</summary>
    /// <exception cref="GraftException">A logit is not finite.</exception>
    public static float[] Softmax(float[] logits)
    {
        if (Array.FindIndex(logits, logit => !float.IsFinite(logit)) is >= 0 and var place)
        {
            throw new GraftException(
                $"The network's output for class {place + 1} is {logits[place]}, so it has no probabilities to give. "
                + "Its weights are damaged or do not suit its photos, or its training diverged.");
        }
        var largest = logits.Max();
        var exponentials = logits.Select(logit => Math.Exp(logit - largest)).ToArray();
        var sum = exponentials.Sum();
        return [.. exponentials.Select(value => (float)(value / sum))];
    }
}
