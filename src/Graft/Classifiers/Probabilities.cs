namespace Graft.Classifiers;

public static class Probabilities
{
    /// <summary>Logits as probabilities that sum to 1.</summary>
    public static float[] Softmax(float[] logits)
    {
        var largest = logits.Max();
        var exponentials = logits.Select(logit => Math.Exp(logit - largest)).ToArray();
        var sum = exponentials.Sum();
        return [.. exponentials.Select(value => (float)(value / sum))];
    }
}
