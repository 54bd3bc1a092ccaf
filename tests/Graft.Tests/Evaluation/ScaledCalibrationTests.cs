using Graft.Evaluation;

namespace Graft.Tests.Evaluation;

public sealed class ScaledCalibrationTests
{
    /// <summary>
    /// In closed form. Of 200 images of two classes, 160 are classified correctly, all with the same certainty. Then 0.8 is the best probability of
    /// the named class, the temperature is the ratio of the logits, and no calibration error is left.
    /// </summary>
    [Theory]
    [InlineData(0.99)]
    [InlineData(0.6)]
    public void Temperature_makes_the_certainty_of_like_images_what_is_right_of_them(double certainty)
    {
        var result = Result(certainty);
        var temperature = ScaledCalibration.FitTemperature(result);
        var scaled = ScaledCalibration.Of(result, temperature);

        Assert.Equal(Logit((float)certainty) / Logit(0.8), temperature, 1e-4 * temperature);
        Assert.Equal(Math.Abs(certainty - 0.8), result.Calibration.ExpectedCalibrationError, 1e-6);
        Assert.Equal(0, scaled.Calibration.ExpectedCalibrationError, 1e-5);
    }

    [Fact]
    public void Temperature_of_one_changes_nothing_and_none_leaves_nothing()
    {
        var result = Result(0.9);
        Assert.Equal(
            result.Calibration.ExpectedCalibrationError, result.WithTemperature(1).Uncalibrated!.Calibration.ExpectedCalibrationError, 1e-6);
        Assert.Null(result.WithTemperature(null).Uncalibrated);
    }

    /// <summary>What is said of a result with its temperature, and of the same read back, is what the result was before.</summary>
    [Fact]
    public void Calibrated_result_remembers_what_it_was()
    {
        var result = Result(0.99);

        var calibrated = result.Calibrated(ScaledCalibration.FitTemperature(result));

        Assert.Equal(0, calibrated.Calibration.ExpectedCalibrationError, 1e-5);
        Assert.Equal(result.Accuracy, calibrated.Accuracy);
        var read = calibrated.WithTemperature(calibrated.Uncalibrated!.Temperature).Uncalibrated!;
        foreach (var before in new[] { calibrated.Uncalibrated, read }) Assert.Equal(result.Calibration.ExpectedCalibrationError, before.Calibration.ExpectedCalibrationError, 1e-5);
    }

    [Fact]
    public void Too_few_photos_tell_no_temperature() => Assert.Equal(1, ScaledCalibration.FitTemperature(AllCorrect(ScaledCalibration.LeastImages - 1, 0.4f)));

    [Fact]
    public void Certainty_without_any_doubt_still_has_a_temperature()
    {
        var temperature = ScaledCalibration.FitTemperature(Result(1));
        Assert.InRange(temperature, 1, 100);
        Assert.InRange(ScaledCalibration.Of(Result(1), temperature).Calibration.ExpectedCalibrationError, 0, 0.01);
    }

    /// <summary>Six photos, all correct at 90 %, are as one should expect of 90 %.</summary>
    [Fact]
    public void Handful_of_photos_without_an_error_changes_nothing()
    {
        Assert.Equal(1, ScaledCalibration.FitTemperature(AllCorrect(6, 0.9f)));
    }

    [Fact]
    public void Photos_without_an_error_make_no_surer_than_their_number_can_tell()
    {
        var result = AllCorrect(60, 0.5f);
        var scaled = ScaledCalibration.Of(result, ScaledCalibration.FitTemperature(result));

        Assert.Equal(61 / 62.0, Assert.Single(scaled.Calibration.NonEmptyBins).Confidence, 1e-4);
    }

    private static EvaluationResult AllCorrect(int images, float certainty)
    {
        int[] labels = [.. Enumerable.Range(0, images).Select(image => image % 3)];
        return EvaluationResult.Of(
            ["a", "b", "c"], labels,
            [.. labels.Select(label => Enumerable.Range(0, 3).Select(other => other == label ? certainty : (1 - certainty) / 2).ToArray())]);
    }

    private static EvaluationResult Result(double certainty)
    {
        int[] labels = [.. Enumerable.Range(0, 200).Select(image => image % 2)];
        return EvaluationResult.Of(
            ["a", "b"], labels,
            [.. labels.Select((label, image) =>
            {
                var named = image < 160 ? label : 1 - label;
                return (float[])[(float)(named == 0 ? certainty : 1 - certainty), (float)(named == 1 ? certainty : 1 - certainty)];
            })]);
    }

    private static double Logit(double p) => Math.Log(p / (1 - p));
}
