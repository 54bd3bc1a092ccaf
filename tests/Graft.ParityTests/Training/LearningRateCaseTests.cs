using System.Globalization;
using Graft.Networks;
using Graft.Testing;
using Graft.Training;

namespace Graft.ParityTests.Training;

/// <summary>A recorded sweep whose first batch happened to have a high loss.</summary>
public class LearningRateCaseTests
{
    private const string File = "cases/classifiers/learning_rates.csv";

    [SharedFact(File)]
    public void Noise_of_the_first_batches_is_no_fall()
    {
        var trials = System.IO.File.ReadLines(SharedFolder.Path(File)).Skip(1)
            .Select(line => line.Split(',').Select(field => double.Parse(field, CultureInfo.InvariantCulture)).ToArray())
            .Select(row => new LearningRateTrial(row[0], row[1], row[2])).ToList();

        var sweep = new LearningRateSweep(
            new TrainingStage(1, "head", FreezePlan.All(new("none", [new("input", new Input(3, 0, 0), [])])), new()), trials);

        Assert.InRange(sweep.Suggestion, 1e-4, 1e-2);
        Assert.InRange(sweep.Steepest.LearningRate, 1e-4, 1e-2);
    }
}
