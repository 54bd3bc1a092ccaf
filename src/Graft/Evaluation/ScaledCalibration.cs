using Graft.Classifiers;
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

    /// <summary>The temperature of the lowest cross-entropy on these images, from 0.01 to 100.</summary>
    /// <param name="validation">On validation images, never on those that the calibration is judged by in the end.</param>
    public static double FitTemperature(EvaluationResult validation)
    {
        using var scope = NewDisposeScope();
        var classes = validation.Confusion.Classes.Count;
        // Logits but for a number that is the same for all of an image's classes, which changes nothing.
        var logits = tensor([.. validation.Probabilities.SelectMany(row => row).Select(p => Math.Log(Math.Max(p, Least)))]).view(-1, classes);
        return Math.Clamp(1 / Classifiers.Temperature.Fit(logits, [.. validation.Labels], classes, areCertain: true), 0.01, 100);
    }

    /// <summary>A result's calibration as it would be with a temperature.</summary>
    public static ScaledCalibration Of(EvaluationResult result, double temperature) => new(
        temperature,
        Calibration.Of(result.Labels, [.. result.Probabilities.Select(row =>
            Probabilities.Softmax([.. row.Select(p => (float)(Math.Log(Math.Max(p, Least)) / temperature))]))]));
}
