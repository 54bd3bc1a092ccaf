using Graft.Backbones;
using Graft.Data;
using Graft.Features;
using Graft.Networks;
using Graft.Runs;
using Graft.Testing;

namespace Graft.EndToEndTests;

public sealed class LibraryTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>
{
    /// <summary>The README's snippet, on drawn photos and the embedded backbone.</summary>
    [Fact]
    public void Main_job_is_a_few_lines_of_code()
    {
        using var folder = new TemporaryFolder();

        using var backbone = Backbone.Load(BackboneCatalog.Default);
        using var features = backbone.Features();
        using var cache = FeatureCache.Open(folder.File("cache"));
        using var run = TrainingRun.Execute(
            LabeledImages.Load(photos.Folder), features, cache, new() { Head = Head.Dense(64, dropout: 0.5) },
            TestContext.Current.CancellationToken);

        Assert.Equal(photos.Folder, run.Photos.Source);
        Assert.InRange(run.Test!.Accuracy, 1.5 / run.Photos.Classes.Count, 1);
        Assert.Contains("macro avg", run.Validation.Report.ToString());
        var photo = run.Photos.Train[0];
        Assert.Equal(run.Photos.Classes[photo.Class], run.Model.Predict(photo.Path).Class);
    }

    [Fact]
    public void Features_can_be_taken_after_any_block()
    {
        using var backbone = Backbone.Load(EmbeddedBackbone.Name);

        using var early = backbone.CutAfter("features.7").Pooled();

        Assert.Equal(32, early.Network.OutputShape.ElementCount);
    }
}
