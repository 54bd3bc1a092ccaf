using Graft.Classifiers;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Evaluation;

/// <summary>
/// What calibration becomes when all logits are divided by one temperature (Guo et al. 2017, arXiv:1706.04599). No answer changes by that,
/// only how sure it sounds: above 1 it sounds less sure, below 1 more.
/// </summary>
/// <param name="Temperature">Above 0; that of the lowest cross-entropy on validation images.</param>
/// <param name="Calibration">With it.</param>
public sealed record ScaledCalibration(double Temperature, Calibration Calibration)
{
    /// <summary>A probability of 0 still has a logit: that of the smallest float32.</summary>
    private const double Least = 1.2e-38;

    /// <summary>With fewer, a temperature is a guess.</summary>
    public const int LeastImages = 50;

    /// <summary>Twice the gain in log-likelihood that one parameter reaches by chance in 5 of 100 cases: chi-squared with one degree of freedom.</summary>
    private const double SignificantGain = 3.841;

    /// <summary>
    /// The temperature of the lowest cross-entropy on these images, from 0.01 to 100, as far as they can tell: 1 of fewer than 50 and where the gain is no more
    /// than chance, and none so low that n images would be named with a mean confidence above (n + 1) / (n + 2).
    /// </summary>
    /// <param name="validation">On validation images, never on those that the calibration is judged by in the end.</param>
    public static double FitTemperature(EvaluationResult validation)
    {
        using var scope = NewDisposeScope();
        // Logits but for a number that is the same for all of an image's classes, which changes nothing.
        var logits = tensor([.. validation.Probabilities.SelectMany(row => row).Select(p => Math.Log(Math.Max(p, Least)))])
            .view(-1, validation.Confusion.Classes.Count);
        int[] labels = [.. validation.Labels];
        if (labels.Length < LeastImages) return 1;
        var most = (labels.Length + 1.0) / (labels.Length + 2);
        var own = tensor([.. labels.Select(label => (long)label)]);
        var best = Math.Clamp(1 / Classifiers.Temperature.FitCertain(logits, labels), 0.01, 100);
        if (2 * (Loss(1) - Loss(best)) < SignificantGain) return 1;
        if (best > 1 || Confidence(best) <= most) return best;
        if (Confidence(1) >= most) return 1;
        var (low, high) = (best, 1.0);
        for (var halvings = 0; halvings < 50; halvings++)
        {
            var middle = (low + high) / 2;
            if (Confidence(middle) > most) low = middle;
            else high = middle;
        }
        return high;

        double Loss(double temperature)
        {
            using var inner = NewDisposeScope();
            return nn.functional.cross_entropy(logits / Number(temperature), own).Value() * labels.Length;
        }

        double Confidence(double temperature)
        {
            using var inner = NewDisposeScope();
            return (logits / Number(temperature)).softmax(1).amax([1]).mean().Value();
        }
    }

    /// <summary>A result's calibration as it would be with a temperature.</summary>
    public static ScaledCalibration Of(EvaluationResult result, double temperature) => new(temperature, Calibration.Of(result.Labels, Scaled(result, temperature)));

    /// <summary>A result's probabilities with a temperature, one row for each image.</summary>
    internal static IReadOnlyList<float[]> Scaled(EvaluationResult result, double temperature) =>
        [.. result.Probabilities.Select(row => Probabilities.Softmax([.. row.Select(p => (float)(Math.Log(Math.Max(p, Least)) / temperature))]))];
}
