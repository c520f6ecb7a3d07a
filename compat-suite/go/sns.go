package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

var snsChecks = []check{
	{"envelope", []string{"topics-01", "delivery-01", "delivery-02", "publishing-01"}, envelope},
	{"raw and filtered", []string{"delivery-04", "filters-01", "filters-15", "publishbatch-01"}, rawAndFiltered},
	{"fifo topics", []string{"topicfifo-01", "topicfifo-03", "topicfifo-08"}, fifoTopics},
	{"typed errors of SNS", []string{"topics-10", "topics-05", "subscriptions-09"}, typedErrorsOfSns},
	{"http endpoint", []string{"http-01", "http-02", "http-04", "http-11"}, httpEndpoint},
	{"identity", []string{"sts-01"}, identity},
}

func text(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
}

func envelope(c *clients) {
	topic := c.topic(nil)
	inbox := c.inbox(topic, nil, nil)
	sent, err := c.sns.Publish(ctx, &sns.PublishInput{
		TopicArn: topic, Message: aws.String("m"), Subject: aws.String("s"),
		MessageAttributes: map[string]types.MessageAttributeValue{"k": text("größe")},
	})
	must(err)
	var found struct {
		MessageId, Subject, Message string
		MessageAttributes           map[string]struct{ Type, Value string }
	}
	must(json.Unmarshal([]byte(*c.receive(inbox, 1, 5)[0].Body), &found))
	same(found.MessageId, *sent.MessageId)
	same(found.Subject+found.Message, "sm")
	same(found.MessageAttributes["k"].Value, "größe")
}

func rawAndFiltered(c *clients) {
	topic := c.topic(nil)
	inbox := c.inbox(topic, nil, map[string]string{
		"RawMessageDelivery": "true", "FilterPolicy": `{"kind":["bird"]}`,
	})
	entries := []types.PublishBatchRequestEntry{}
	for _, kind := range []string{"fish", "bird"} {
		entries = append(entries, types.PublishBatchRequestEntry{
			Id: aws.String(kind), Message: aws.String(kind),
			MessageAttributes: map[string]types.MessageAttributeValue{"kind": text(kind)},
		})
	}
	answer, err := c.sns.PublishBatch(ctx, &sns.PublishBatchInput{TopicArn: topic, PublishBatchRequestEntries: entries})
	must(err)
	same(len(answer.Successful), 2)
	same(len(answer.Failed), 0)
	message := c.receive(inbox, 1, 5)[0]
	same(*message.Body, "bird")
	same(*message.MessageAttributes["kind"].StringValue, "bird")
}

func fifoTopics(c *clients) {
	topic := c.topic(map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "true"})
	inbox := c.inbox(topic, map[string]string{"FifoQueue": "true"}, map[string]string{"RawMessageDelivery": "true"})
	sent := []*sns.PublishOutput{}
	for _, message := range []string{"a", "b", "b", "c"} {
		one, err := c.sns.Publish(ctx, &sns.PublishInput{
			TopicArn: topic, Message: aws.String(message), MessageGroupId: aws.String("g"),
		})
		must(err)
		sent = append(sent, one)
	}
	same(*sent[1].MessageId, *sent[2].MessageId)
	same(*sent[0].SequenceNumber < *sent[1].SequenceNumber, true)
	same(c.bodies(inbox, 5), "a b c")
}

func typedErrorsOfSns(c *clients) {
	topic := c.topic(nil)
	_, err := c.sns.Publish(ctx, &sns.PublishInput{TopicArn: aws.String(*topic + unique()), Message: aws.String("m")})
	var unknown *types.NotFoundException
	same(errors.As(err, &unknown), true)
	name := (*topic)[strings.LastIndex(*topic, ":")+1:]
	_, err = c.sns.CreateTopic(ctx, &sns.CreateTopicInput{
		Name: &name, Attributes: map[string]string{"DisplayName": "other"},
	})
	var invalid *types.InvalidParameterException
	same(errors.As(err, &invalid), true)
	_, err = c.sns.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: topic, Protocol: aws.String("sqs"), Endpoint: aws.String("q"),
	})
	invalid = nil
	same(errors.As(err, &invalid), true)
}

func httpEndpoint(c *clients) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	posts := make(chan map[string]string, 10)
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		message := map[string]string{}
		json.Unmarshal(body, &message)
		message["type of header"] = request.Header.Get("x-amz-sns-message-type")
		posts <- message
	})}
	go server.Serve(listener)
	defer server.Close()
	next := func(kind string) map[string]string {
		select {
		case message := <-posts:
			same(message["type of header"], kind)
			return message
		case <-time.After(15 * time.Second):
			panic("no " + kind + " came")
		}
	}
	visit := func(url string) {
		answer, err := http.Get(url)
		must(err)
		answer.Body.Close()
		same(answer.StatusCode, 200)
	}

	topic := c.topic(nil)
	_, err = c.sns.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: topic, Protocol: aws.String("http"), Endpoint: aws.String("http://" + listener.Addr().String() + "/"),
	})
	must(err)
	visit(next("SubscriptionConfirmation")["SubscribeURL"])
	sent, err := c.sns.Publish(ctx, &sns.PublishInput{TopicArn: topic, Message: aws.String("m")})
	must(err)
	notification := next("Notification")
	same(notification["MessageId"], *sent.MessageId)
	visit(notification["UnsubscribeURL"])
	next("UnsubscribeConfirmation")
}

func identity(c *clients) {
	found, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	must(err)
	same(strings.Contains(*c.topic(nil), ":"+*found.Account+":"), true)
}
