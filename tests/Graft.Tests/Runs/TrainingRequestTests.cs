using System.Text.Json;
using System.Text.Json.Nodes;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Runs;
using Graft.Testing;
using Graft.Training;

namespace Graft.Tests.Runs;

public class TrainingRequestTests
{
    private static readonly (Strategy Strategy, string? Classifier)[] Ways =
    [
        .. ClassifierCatalog.Names.Prepend("softmax").Select(name => (Strategy.Features, (string?)name)),
        .. Enum.GetValues<Strategy>().Skip(1).Select(strategy => (strategy, (string?)null)),
    ];

    /// <summary>Settings that are not part of the plan, with what reads them.</summary>
    private static readonly string[] ReadElsewhere =
    [
        nameof(TrainingRequest.From), // TrainingSetup
        nameof(TrainingRequest.Source), // TransferPhotos; that there is one is in the plan
        nameof(TrainingRequest.Teacher), nameof(TrainingRequest.Unlabeled), // TrainingSetup
        nameof(TrainingRequest.Pool), // TrainingSetup, BackboneRequests
        nameof(TrainingRequest.Validation), nameof(TrainingRequest.PathColumn), nameof(TrainingRequest.LabelColumn), nameof(TrainingRequest.SplitColumn),
        nameof(TrainingRequest.ImageFolder), nameof(TrainingRequest.ImageSuffix), // TrainingSetup
        nameof(TrainingRequest.Cache), nameof(TrainingRequest.CachePrecision), // who opens the cache
    ];

    public static TheoryData<string> Settings => [.. Setting.All.Select(setting => setting.Name)];

    /// <summary>No option is accepted and ignored.</summary>
    [Theory]
    [MemberData(nameof(Settings))]
    public void Every_setting_changes_what_is_done_or_is_refused(string name)
    {
        var setting = Setting.Named(name);
        if (name is nameof(TrainingRequest.Photos) or nameof(TrainingRequest.Strategy) or nameof(TrainingRequest.Classifier)) return;
        var used = 0;
        foreach (var (strategy, classifier) in Ways)
        {
            // Settings that work together with another are tried with it too.
            TrainingRequest[] bases =
            [
                new() { Strategy = strategy, Classifier = classifier },
                new() { Strategy = strategy, Classifier = classifier, Views = 2 },
                new() { Strategy = strategy, Classifier = classifier, Source = "others" },
                new() { Strategy = strategy, Classifier = classifier, Optimizer = OptimizerKind.Sgd },
                new() { Strategy = strategy, Classifier = classifier, Teacher = "model" },
                new() { Strategy = strategy, Classifier = classifier, Unlabeled = "heap" },
            ];
            foreach (var request in bases.Where(request => request.Problems().Count == 0))
            {
                var changed = With(request, setting);
                if (changed.Problems() is { Count: > 0 } problems)
                {
                    Assert.All(problems, problem => Assert.NotEqual("", problem.ToString()));
                    Assert.Contains(problems, problem => problem.ToString().Contains(setting.JsonName, StringComparison.Ordinal));
                    continue;
                }
                used++;
                Assert.Empty(RequestPlan.Of(changed).Options.Problems());
                if (ReadElsewhere.Contains(name)) continue;
                Assert.True(
                    JsonSerializer.Serialize(RequestPlan.Of(request), Json) != JsonSerializer.Serialize(RequestPlan.Of(changed), Json),
                    $"{setting.Option} is accepted and ignored with {strategy}, {classifier}: {request.ToJson()}");
            }
        }
        Assert.True(used > 0, $"{setting.Option} is refused everywhere.");
    }

    private static readonly JsonSerializerOptions Json = new() { Converters = { new ClassifierConverter() } };

    /// <summary>By its own type, not the abstract one.</summary>
    private sealed class ClassifierConverter : System.Text.Json.Serialization.JsonConverter<Graft.Classifiers.FeatureClassifier>
    {
        public override Graft.Classifiers.FeatureClassifier Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, Graft.Classifiers.FeatureClassifier value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value, value.GetType());
    }

    /// <summary>A value in range that is no strategy's default.</summary>
    private static TrainingRequest With(TrainingRequest request, Setting setting)
    {
        JsonNode value = setting switch
        {
            { Declared.IsNegative: true } => false,
            { Name: nameof(TrainingRequest.Optimizer) } => "rmsprop",
            { Choices: { } choices } => choices[^1] == "none" ? choices[0] : choices[^1],
            { Name: nameof(TrainingRequest.From) } => "model",
            { Name: nameof(TrainingRequest.Source) } => "others too",
            { Name: nameof(TrainingRequest.Distill) } => "logits+relations",
            _ when setting.Type == typeof(string) => "features.3",
            _ when setting.Type == typeof(bool) => setting.Name is nameof(TrainingRequest.Flip) or nameof(TrainingRequest.Nesterov) ? false : true,
            _ when setting.Type == typeof(int) => 7,
            _ when setting.Type == typeof(double) => 0.37,
            _ => new JsonArray(3, 5),
        };
        var document = JsonNode.Parse(request.ToJson())!.AsObject();
        document[setting.JsonName] = value;
        // Photos as they are have no views to flip.
        if (setting.Name == nameof(TrainingRequest.Flip) && request.StrategyOrDefault is Strategy.Partial) document[setting.JsonName] = true;
        return TrainingRequest.FromJson(document.ToJsonString());
    }

    [Fact]
    public void How_unlabeled_photos_are_named_needs_some_and_a_classic_classifier()
    {
        static string Problem(TrainingRequest request) => Assert.Single(request.Problems()).Text(SettingNames.OnTheCommandLine);
        TrainingRequest request = new() { Classifier = "logistic", Unlabeled = "heap", UnlabeledMethod = "label-spreading", Views = 2 };

        Assert.Empty(request.Problems());
        Assert.Equal("label-spreading", RequestPlan.Of(request).PseudoLabeling!.Name);
        Assert.Equal("self-training", RequestPlan.Of(request with { UnlabeledMethod = null }).PseudoLabeling!.Name);
        Assert.Null(RequestPlan.Of(new()).PseudoLabeling);
        Assert.Contains("Name them with --unlabeled, or leave --unlabeled-method out.", Problem(request with { Unlabeled = null }), StringComparison.Ordinal);
        Assert.Contains("self-training or label-spreading, found 'guessing'", Problem(request with { UnlabeledMethod = "guessing" }), StringComparison.Ordinal);
        Assert.Contains(
            "--unlabeled-method needs --strategy", Problem(new() { Strategy = Strategy.FineTune, Teacher = "model", Unlabeled = "heap", UnlabeledMethod = "self-training" }), StringComparison.Ordinal);
        Assert.Equal(
            "graft train flowers --unlabeled heap --unlabeled-method label-spreading --classifier logistic --views 2",
            RequestCommand.Of(TrainingRequest.FromJson((request with { Photos = "flowers" }).ToJson())));
        // As many methods as there are choices.
        Assert.Equal(Setting.Named(nameof(TrainingRequest.UnlabeledMethod)).Choices, Graft.Unlabeled.PseudoLabeling.Methods.Select(method => method.Name));
    }

    /// <summary>A run is resumed from any folder.</summary>
    [Fact]
    public void Every_path_becomes_a_full_one()
    {
        TrainingRequest request = new() { Photos = "a", ImageFolder = "b", From = "c", Source = "d", Unlabeled = "e", Teacher = "f", Backbones = [new() { Name = "g.onnx", Weights = "h.pth" }] };

        var full = request.WithFullPaths();

        string?[] paths = [full.Photos, full.ImageFolder, full.From, full.Source, full.Unlabeled, full.Teacher, full.Backbones![0].Name, full.Backbones[0].Weights];
        Assert.Equal(["a", "b", "c", "d", "e", "f", "g.onnx", "h.pth"], paths.Select(path => Path.GetRelativePath(Environment.CurrentDirectory, path!)));
        Assert.All(paths, path => Assert.True(Path.IsPathFullyQualified(path!)));
    }

    [Fact]
    public void Json_holds_what_was_set_and_reads_back_the_same()
    {
        var request = new TrainingRequest
        {
            Photos = "flowers",
            Backbone = "mobilenet_v2+vgg16",
            Classifier = "svm",
            C = TrainingRequest.AutomaticC,
            Strategy = Strategy.Features,
        };

        var json = request.ToJson();

        Assert.Equal(
            """{"version":1,"photos":"flowers","backbones":[{"name":"mobilenet_v2"},{"name":"vgg16"}],"strategy":"features","classifier":"svm","c":"auto"}""",
            JsonNode.Parse(json)!.ToJsonString());
        Assert.Equal(json, TrainingRequest.FromJson(json).ToJson());
    }

    [Theory]
    [InlineData("learning_rat", """{ "learning_rat": 0.1 }""")]
    [InlineData("version 9", """{ "version": 9 }""")]
    [InlineData("c as a number", """{ "c": "much" }""")]
    [InlineData("not a training request", "[]")]
    [InlineData("not a training request", "{")]
    public void Unknown_properties_versions_and_values_are_refused(string said, string json) =>
        Assert.Contains(said, Assert.Throws<GraftException>(() => TrainingRequest.FromJson(json)).Message, StringComparison.Ordinal);

    [Fact]
    public void All_problems_are_told_together_with_code_value_and_range()
    {
        var problems = new TrainingRequest { LearningRate = -1, Epochs = 0, Dropout = 1, Augment = "wild", WarmUp = double.NaN }.Problems();

        Assert.Equal(
            ["unknown_value", "out_of_range", "out_of_range", "out_of_range", "out_of_range"],
            problems.OrderByDescending(problem => problem.Code, StringComparer.Ordinal).Take(5).Select(problem => problem.Code));
        var rate = Assert.Single(problems, problem => problem.Setting == nameof(TrainingRequest.LearningRate));
        Assert.Equal("Expected learning_rate above 0, found -1.", rate.ToString());
        Assert.Equal("Expected --learning-rate above 0, found -1.", rate.Text(SettingNames.OnTheCommandLine));
        Assert.Equal(-1.0, rate.Value);
    }

    [Theory]
    [InlineData("strategy finetune")]
    [InlineData("backbones names twice")]
    public void Networks_that_contradict_are_refused(string _)
    {
        Assert.Contains(new TrainingRequest { Backbone = "a+a" }.Problems(), problem => problem.Code == "conflict");
        Assert.Contains(new TrainingRequest { Backbone = "a+b", Strategy = Strategy.Full }.Problems(), problem => problem.Code == "conflict");
        Assert.Contains(new TrainingRequest { Backbone = "x.onnx", Strategy = Strategy.Scratch }.Problems(), problem => problem.Code == "conflict");
        Assert.Contains(
            new TrainingRequest { Backbones = [new BackboneRequest { Size = 1 }] }.Problems(), problem => problem.Code == "out_of_range");
    }

    [Fact]
    public void Warm_up_as_long_as_the_training_is_refused() =>
        Assert.Contains(new TrainingRequest { Epochs = 3, WarmUp = 3 }.Problems(), problem => problem.Setting == nameof(TrainingRequest.WarmUp));

    [Fact]
    public void Request_goes_before_its_recipe()
    {
        var recipe = new TrainingRequest { Classifier = "logistic", C = TrainingRequest.AutomaticC, Backbone = "vgg16" };

        var request = new TrainingRequest { Photos = "flowers", C = 0.1 }.Over(recipe);

        Assert.Equal(("flowers", "logistic", 0.1, "vgg16"), (request.Photos, request.Classifier, request.C, request.Backbone));
    }

    [Fact]
    public void Every_recipe_of_a_name_can_be_carried_out()
    {
        Assert.Equal(["dense-sgd", "fully-connected-rmsprop", "keras-guide", "logistic-regression"], Recipe.Names);
        Assert.All(Recipe.Names, name =>
        {
            var request = new TrainingRequest { Photos = "flowers" }.Over(Recipe.Load(name));
            Assert.Empty(request.Problems());
            Assert.Empty(RequestPlan.Of(request).Problems());
        });
    }

    [Fact]
    public void Recipe_is_saved_without_photos_and_over_no_file()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("recipe.json");

        Recipe.Save(new() { Photos = "flowers", Epochs = 3 }, file);

        Assert.Equal(new TrainingRequest { Epochs = 3 }, Recipe.Load(file));
        Assert.Contains("cannot be written", Assert.Throws<GraftException>(() => Recipe.Save(new(), file)).Message, StringComparison.Ordinal);
        Assert.Contains("the names are", Assert.Throws<GraftException>(() => Recipe.Load("nothing")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Command_repeats_the_request()
    {
        var request = new TrainingRequest
        {
            Photos = "flowers",
            Backbones = [new() { Name = BackboneCatalog.Default, Size = 96 }],
            Strategy = Strategy.FineTune,
            Stage2LearningRate = 1e-5,
            Flip = true,
            Cache = false,
        };

        Assert.Equal(
            $"graft train flowers --backbone {BackboneCatalog.Default} --size 96 --strategy finetune --stage2-learning-rate 1E-05 --flip true --no-cache",
            RequestCommand.Of(request));
    }
}
