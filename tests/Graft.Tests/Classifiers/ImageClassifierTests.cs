using System.Text.Json.Nodes;
using Graft.Backbones;
using Graft.Checkpoints;
using Graft.Classifiers;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Testing;
using Graft.Tests.Features;

namespace Graft.Tests.Classifiers;

public class ImageClassifierTests
{
    private static readonly string[] Classes = ["a cat", "a \"dog\"", "ß"];

    private static ImageClassifier Classifier(int seed = 1)
    {
        var features = FeatureScene.Backbone();
        var builder = new NetworkBuilder("tiny", [new("features", Input.Of(features.Network.OutputShape), [])]);
        using var head = new TorchNetwork(
            builder.Build(Head.Softmax.Build(builder.Node("features"), Classes.Length)), new RandomWeights(seed));
        return ImageClassifier.Of(features, head, Classes);
    }

    /// <summary>A model file with one entry of its header changed; null takes it out.</summary>
    private static string ModelWith(TemporaryFolder folder, string key, string? value)
    {
        var sound = folder.File("sound.safetensors");
        using (var model = Classifier()) model.Save(sound);
        using var checkpoint = Checkpoint.Open(sound);
        var metadata = checkpoint.Metadata.Where(entry => entry.Key != key).ToDictionary(entry => entry.Key, entry => entry.Value);
        if (value is not null) metadata[key] = value;
        var changed = folder.File("changed.safetensors");
        SafetensorsWriter.Write(changed, [.. checkpoint.Tensors.Select(tensor =>
        {
            var values = new float[tensor.ElementCount];
            checkpoint.Read(tensor.Name, values);
            return new TensorSource(tensor.Name, tensor.Type, tensor.Shape, values);
        })], metadata);
        return changed;
    }

    [Fact]
    public void Opened_model_predicts_the_same_bits_as_the_saved_one()
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        var photos = scene.Photos(5).Select(photo => photo.Path).ToList();
        using var model = Classifier();
        model.Save(folder.File("model.safetensors"));

        using var opened = ImageClassifier.Open(folder.FullName);

        Assert.Equal(
            model.Predict(photos, cancellation: TestContext.Current.CancellationToken).Read.Select(prediction => prediction.Probabilities),
            opened.Predict(photos, cancellation: TestContext.Current.CancellationToken).Read.Select(prediction => prediction.Probabilities));
        Assert.Equal(Classes, opened.Classes);
        Assert.Equal((model.BackboneName, model.Preprocessing, model.FeatureLayer), (opened.BackboneName, opened.Preprocessing, opened.FeatureLayer));
        Assert.Equal(model.Network.ToJson(), opened.Network.ToJson());
    }

    [Fact]
    public void Opened_model_can_be_saved_over_its_own_file()
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        var path = folder.File("model.safetensors");
        using (var model = Classifier()) model.Save(path);
        var before = File.ReadAllBytes(path);

        using (var opened = ImageClassifier.Open(path)) opened.Save(path);

        Assert.Equal(before, File.ReadAllBytes(path));
    }

    [Fact]
    public void Probabilities_sum_to_1_and_rank_the_classes()
    {
        using var scene = new FeatureScene();
        using var model = Classifier();

        var prediction = model.Predict(scene.Photo(1).Path);

        Assert.Equal(1, prediction.Probabilities.Sum(), 1e-6);
        Assert.Equal(prediction.Probabilities.Max(), prediction.Probability, 1e-7);
        Assert.Equal(prediction.Class, Classes[prediction.Probabilities.ToList().IndexOf(prediction.Probabilities.Max())]);
        Assert.Equal(prediction.Ranking.Select(entry => entry.Probability).OrderDescending(), prediction.Ranking.Select(entry => entry.Probability));
    }

    [Fact]
    public void Head_trained_on_afterwards_does_not_change_the_model()
    {
        using var scene = new FeatureScene();
        var features = FeatureScene.Backbone();
        var builder = new NetworkBuilder("tiny", [new("features", Input.Of(features.Network.OutputShape), [])]);
        using var head = new TorchNetwork(builder.Build(Head.Softmax.Build(builder.Node("features"), 3)), new RandomWeights(1));
        using var model = ImageClassifier.Of(features, head, Classes);

        using (TorchSharp.torch.no_grad())
        {
            foreach (var parameter in head.parameters()) parameter.zero_();
        }

        using var expected = Classifier(seed: 1);
        var photo = scene.Photo(1).Path;
        Assert.Equal(expected.Predict(photo).Probabilities, model.Predict(photo).Probabilities);
    }

    [Fact]
    public void Predictions_come_from_the_cache_of_training()
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        var photos = scene.Photos(5);
        using var cache = FeatureCache.Open(scene.CacheFolder);
        using (var extractor = new FeatureExtractor(FeatureScene.Backbone(), cache))
            extractor.Extract(photos, cancellation: TestContext.Current.CancellationToken);
        using (var model = Classifier()) model.Save(folder.File("model.safetensors"));
        using var opened = ImageClassifier.Open(folder.FullName);

        var predictions = opened.Predict([.. photos.Select(photo => photo.Path)], cache, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal((5, 0), (predictions.CacheHits, predictions.CacheMisses));
    }

    [Fact]
    public void Broken_photo_is_named()
    {
        using var scene = new FeatureScene();
        using var model = Classifier();
        var broken = scene.Broken("broken.jpg").Path;

        var problem = Assert.Throws<UnreadableImageException>(() => model.Predict(broken));

        Assert.Contains(broken, problem.Message, StringComparison.Ordinal);
        Assert.Equal(broken, problem.Path);
    }

    [Fact]
    public void Plain_weights_file_is_refused_with_advice()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("weights.safetensors");
        SafetensorsWriter.Write(path, [new("a", TensorType.Float32, [1], new float[1])]);

        var problem = Assert.Throws<GraftException>(() => ImageClassifier.Open(path));

        Assert.Equal("not-a-model", problem.Code);
        Assert.Contains("Backbone.Load", problem.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Folder_without_a_model_and_no_such_path_are_told_apart()
    {
        using var folder = new TemporaryFolder();

        Assert.Contains("holds no model.safetensors", Assert.Throws<GraftException>(() => ImageClassifier.Open(folder.FullName)).Message, StringComparison.Ordinal);
        Assert.Contains("no such file", Assert.Throws<GraftException>(() => ImageClassifier.Open(folder.File("absent"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("graft.network", null)]
    [InlineData("graft.network", "{}")]
    [InlineData("graft.network", "null")]
    [InlineData("graft.preprocessing", null)]
    [InlineData("graft.preprocessing", "null")]
    [InlineData("graft.preprocessing", "{}")]
    [InlineData("graft.classes", null)]
    [InlineData("graft.classes", "null")]
    [InlineData("graft.classes", "[\"only one\"]")]
    [InlineData("graft.classes", "[\"one\",\"two\",null]")]
    [InlineData("graft.backbone", null)]
    [InlineData("graft.features", "no such layer")]
    public void Damaged_header_is_told_with_the_file(string key, string? value)
    {
        using var folder = new TemporaryFolder();
        var path = ModelWith(folder, key, value);

        var problem = Assert.Throws<GraftException>(() => ImageClassifier.Open(path));

        Assert.Contains(path, problem.Message, StringComparison.Ordinal);
        File.Delete(path); // Nothing keeps it open.
    }

    [Fact]
    public void Photos_of_another_size_than_the_networks_are_refused()
    {
        using var folder = new TemporaryFolder();
        var json = JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(Preprocessing.UnitRange(9)))!.ToJsonString();

        Assert.Throws<GraftException>(() => ImageClassifier.Open(ModelWith(folder, "graft.preprocessing", json)));
    }

    [Fact]
    public void Backbone_without_a_head_names_no_classes()
    {
        var problem = Assert.Throws<GraftException>(() => ImageClassifier.Of(FeatureScene.Backbone()));

        Assert.Equal("no-classification-head", problem.Code);
        Assert.Contains("as a backbone", problem.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Pretrained_network_names_the_classes_of_its_own_head()
    {
        using var scene = new FeatureScene();
        using var model = ImageClassifier.Of(Backbone.Load(EmbeddedBackbone.Name));

        var prediction = model.Predict(scene.Photo(1).Path);

        Assert.Equal(202, prediction.Ranking.Count);
        Assert.Equal(1, prediction.Probabilities.Sum(), 1e-5);
    }
}
