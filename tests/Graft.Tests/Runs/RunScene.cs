using Graft.Data;
using Graft.Runs;
using Graft.Testing;
using Graft.Tests.Features;

namespace Graft.Tests.Runs;

/// <summary>A folder of pictures, and of runs on them that were trained and saved.</summary>
internal sealed class RunScene : IDisposable
{
    private readonly FeatureScene _photos = new();
    private readonly TemporaryFolder _folder = new();

    public string FullName => _folder.FullName;

    public string Photos => _photos.FullName;

    /// <summary>Trains a run and saves it.</summary>
    /// <param name="classes">The names of 3 classes.</param>
    /// <returns>The run's folder.</returns>
    public string Run(string name, string[]? classes = null, bool test = true, TrainingPlan? plan = null, TrainingRequest? request = null)
    {
        var photos = _photos.Photos(36, classes: 3);
        LabeledImages data = new(
            _photos.FullName, classes ?? ["a", "b", "c"], photos[..18], photos[18..27], test ? photos[27..] : [],
            skipped: [new("notes <b>.txt", "not an image")], notes: [], validationWasSplit: false);
        using var run = TrainingRun.Execute(
            data, FeatureScene.Backbone(), plan ?? TrainingPlan.OnFeatures(new() { Epochs = 4, LearningRate = 0.02 }),
            cancellation: TestContext.Current.CancellationToken);
        using var folder = RunFolder.Create(Path.Combine(_folder.FullName, name), "run");
        folder.Begin((request ?? new() { LearningRate = 0.02, Epochs = 4 }) with { Photos = _photos.FullName });
        folder.Save(run);
        return folder.FullName;
    }

    /// <summary>Puts other probabilities into a run's <c>predictions.csv</c>.</summary>
    /// <param name="split">Of which images.</param>
    /// <param name="probabilities">Of an image by its number in the split and its label.</param>
    public static void Predict(string folder, string split, Func<int, int, float[]> probabilities)
    {
        var (number, table) = (0, SavedRun.Open(folder).Predictions);
        (table with
        {
            Images = [.. table.Images.Select(image => image.Split != split ? image
                : new EvaluatedImage(image.Path, split, image.Label, probabilities(number++, image.Label), image.Place))],
        }).Save(folder);
    }

    public string File(string name) => _folder.File(name);

    public void Dispose()
    {
        _photos.Dispose();
        _folder.Dispose();
    }
}
