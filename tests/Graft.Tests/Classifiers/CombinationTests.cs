using Graft.Checkpoints;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Runs;
using Graft.Testing;
using Graft.Tests.Features;

namespace Graft.Tests.Classifiers;

/// <summary>Models on the joined features of several backbones.</summary>
public class CombinationTests
{
    private static FeatureBlocks Blocks() => new(FeatureScene.Backbone(), FeatureScene.Backbone(seed: 2, Preprocessing.KerasTf(8)));

    private static TrainingRun Train(FeatureScene scene, FeatureBlocks blocks)
    {
        scene.Photos(60, classes: 3);
        return TrainingRun.Execute(
            LabeledImages.FromFolder(scene.FullName), blocks, TrainingPlan.OnFeatures(new() { Epochs = 40, LearningRate = 0.05 }),
            cancellation: TestContext.Current.CancellationToken);
    }

    private static IReadOnlyList<IReadOnlyList<float>> Probabilities(ImageClassifier model, IReadOnlyList<string> paths) =>
        [.. model.Predict(paths, cancellation: TestContext.Current.CancellationToken).Read.Select(prediction => prediction.Probabilities)];

    [Fact]
    public void Combination_learns_and_predicts_as_it_was_validated()
    {
        using var scene = new FeatureScene();
        using var blocks = Blocks();
        using var run = Train(scene, blocks);

        var predictions = run.Model.Predict(
            [.. run.Photos.Validation.Select(image => image.Path)], cancellation: TestContext.Current.CancellationToken);

        Assert.InRange(run.Validation.Accuracy, 0.9, 1);
        Assert.Equal(
            run.Validation.Accuracy,
            predictions.Read.Zip(run.Photos.Validation).Average(pair => pair.First.Class == run.Photos.Classes[pair.Second.Class] ? 1.0 : 0));
        Assert.Equal("tiny+tiny", run.Model.BackboneName);
    }

    [Fact]
    public void Opened_model_predicts_the_same_bits_as_the_saved_one()
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        using var blocks = Blocks();
        using var run = Train(scene, blocks);
        run.Model.Save(folder.File("model.safetensors"));
        var paths = scene.Photos(5).Select(photo => photo.Path).ToList();

        using var opened = ImageClassifier.Open(folder.FullName);

        Assert.Equal(Probabilities(run.Model, paths), Probabilities(opened, paths));
        Assert.True(opened.IsCombination);
        Assert.Equal(blocks.Blocks.Select(block => block.Preprocessing), opened.Blocks.Select(block => block.Preprocessing));
        opened.Save(folder.File("again.safetensors"));
        Assert.Equal(File.ReadAllBytes(folder.File("model.safetensors")), File.ReadAllBytes(folder.File("again.safetensors")));
    }

    [Fact]
    public void Opened_model_finds_the_features_that_training_computed()
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        using var blocks = Blocks();
        using var run = Train(scene, blocks);
        using var cache = FeatureCache.Open(scene.CacheFolder);
        run.Model.Save(folder.File("model.safetensors"));
        var photos = scene.Photos(5);
        blocks.Extract(photos, cache, cancellation: TestContext.Current.CancellationToken);

        using var opened = ImageClassifier.Open(folder.FullName);
        var predictions = opened.Predict([.. photos.Select(photo => photo.Path)], cache, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal((10, 0), (predictions.CacheHits, predictions.CacheMisses));
    }

    [Theory]
    [InlineData("graft.blocks", "[]", "header")]
    [InlineData("graft.blocks", "no json", "header")]
    [InlineData("graft.classes", "[\"one\"]", "header")]
    [InlineData("graft.features", null, "header")]
    [InlineData("block1/conv.weight", null, "missing: 'block1/conv.weight'")]
    public void Damaged_model_is_told_with_the_file(string entry, string? value, string words)
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        using var blocks = Blocks();
        using (var run = Train(scene, blocks)) run.Model.Save(folder.File("sound.safetensors"));
        using var sound = Checkpoint.Open(folder.File("sound.safetensors"));
        var metadata = sound.Metadata.Where(known => known.Key != entry).ToDictionary(known => known.Key, known => known.Value);
        if (value is not null) metadata[entry] = value;
        SafetensorsWriter.Write(folder.File("changed.safetensors"), [.. sound.Tensors.Where(tensor => tensor.Name != entry).Select(tensor =>
        {
            var values = new float[tensor.ElementCount];
            sound.Read(tensor.Name, values);
            return new TensorSource(tensor.Name, tensor.Type, tensor.Shape, values);
        })], metadata);

        var problem = Assert.ThrowsAny<GraftException>(() => ImageClassifier.Open(folder.File("changed.safetensors")));

        Assert.Contains(words, problem.Message, StringComparison.Ordinal);
        Assert.Contains("changed.safetensors", problem.Message, StringComparison.Ordinal);
    }
}
